import { describe, expect, it } from "vitest";
import { BackgroundWork, type Task } from "../../../../src/agent/world/background-work.ts";

/** Work that goes on until the test ends it. */
function held(): { promise: Promise<void>; resolve: () => void } {
  let resolve = (): void => undefined;
  const promise = new Promise<void>((end) => (resolve = end));
  return { promise, resolve };
}

async function isOver(work: Promise<unknown>): Promise<boolean> {
  return Promise.race([
    work.then(() => true),
    new Promise<boolean>((resolve) => setTimeout(resolve, 20, false)),
  ]);
}

describe("settling", () => {
  it("supersedes the former one of its instance, and begins when that is over", async () => {
    const background = new BackgroundWork();
    const former = held();
    const began: Task[] = [];
    const settle = (deploy: number, work: Promise<void>): void =>
      background.settle("demo", deploy, (task) => {
        began.push(task);
        return work;
      });

    settle(1, former.promise);
    await isOver(former.promise);
    settle(2, Promise.resolve());

    expect(began.map(({ deploy, isSuperseded }) => [deploy, isSuperseded()])).toEqual([[1, true]]);
    expect(() => began[0]?.goOn()).toThrow();
    former.resolve();
    await background.rested("demo");
    expect(began.map(({ deploy, isSuperseded }) => [deploy, isSuperseded()])).toEqual([
      [1, true],
      [2, false],
    ]);
    background.supersede("demo");
    expect(() => began[1]?.goOn()).toThrow();
  });

  it("of one instance does not wait for another's", async () => {
    const background = new BackgroundWork();
    background.settle("demo", 1, () => held().promise);
    background.settle("shop", 2, () => Promise.resolve());

    expect(await isOver(background.rested("shop"))).toBe(true);
    expect(await isOver(background.rested("demo"))).toBe(false);
  });
});

describe("an instance is idle", () => {
  it("when it has settled, no vassal retires, and nothing is tidied", async () => {
    const background = new BackgroundWork();
    const settling = held();
    const retiring = held();
    const tidying = held();
    const vassal = { ini: "demo.u1.ini", instance: "demo" };
    background.settle("demo", 1, () => settling.promise);
    background.retires(vassal, retiring.promise);
    const tidied = background.tidy("demo", () => tidying.promise);
    const idle = background.idle("demo");

    expect(await isOver(idle)).toBe(false);
    settling.resolve();
    expect(await isOver(idle)).toBe(false);
    expect(background.retiring("demo")).toEqual(new Set([vassal.ini]));
    retiring.resolve();
    expect(await isOver(idle)).toBe(false);
    tidying.resolve();
    await Promise.all([idle, tidied]);
    expect(background.retiring("demo")).toEqual(new Set());
  });

  it("also while a vassal that could not be ended is to be ended once more", async () => {
    const background = new BackgroundWork();
    const vassal = { ini: "demo.u1.ini", instance: "demo" };
    background.retires(vassal, Promise.resolve());
    background.leaveUnended(vassal);

    await background.idle("demo");

    expect(background.retiring("demo")).toEqual(new Set([vassal.ini]));
    background.retires(vassal, Promise.resolve());
    await background.idle("demo");
    expect(background.retiring("demo")).toEqual(new Set());
  });
});

describe("tidying", () => {
  it("is done once at a time for an instance", async () => {
    const background = new BackgroundWork();
    const first = held();
    const order: string[] = [];
    const one = background.tidy("demo", () => first.promise.then(() => order.push("one")));
    const other = background.tidy("demo", () => Promise.resolve(order.push("other")));

    expect(await isOver(other)).toBe(false);
    first.resolve();
    await Promise.all([one, other]);
    expect(order).toEqual(["one", "other"]);
  });

  it("is left to be done where it fails, until it is done once more", async () => {
    const background = new BackgroundWork();
    const full = (): Promise<void> => Promise.reject(new Error("the disk is full"));
    const failing = background.tidy("demo", full);

    await expect(failing).rejects.toThrow("the disk is full");
    expect(background.isUntidy("demo")).toBe(true);
    await background.tidy("demo", () => Promise.resolve());
    expect(background.isUntidy("demo")).toBe(false);
  });
});
