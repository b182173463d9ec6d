import { describe, expect, it } from "vitest";
import { BackgroundWork, type Task } from "../../../../src/agent/world/background-work.ts";
import { HeldWork } from "../../../support/held-work.ts";

describe("settling", () => {
  it("supersedes the former one of its instance, and begins when that is over", async () => {
    const background = new BackgroundWork();
    const former = new HeldWork();
    const began: Task[] = [];
    const settle = (deploy: number, work: () => Promise<void>): void =>
      background.settle("demo", deploy, (task) => {
        began.push(task);
        return work();
      });

    settle(1, former.run);
    await former.begun;
    settle(2, () => Promise.resolve());

    expect(began.map(({ deploy, isSuperseded }) => [deploy, isSuperseded()])).toEqual([[1, true]]);
    expect(() => began[0]?.goOn()).toThrow();
    former.end();
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
    const settling = new HeldWork();
    const order: string[] = [];
    background.settle("demo", 1, settling.run);
    background.settle("shop", 2, () => Promise.resolve());
    const rested = background.rested("demo").then(() => order.push("demo has settled"));

    await background.rested("shop");
    await settling.begun;
    order.push("demo is to settle");
    settling.end();
    await rested;

    expect(order).toEqual(["demo is to settle", "demo has settled"]);
  });
});

describe("an instance is idle", () => {
  const vassal = { ini: "demo.u1.ini", instance: "demo" };

  it.each<[string, (background: BackgroundWork, work: () => Promise<void>) => unknown]>([
    ["it settles", (background, work) => background.settle("demo", 1, work)],
    ["a vassal retires", (background, work) => background.retires(vassal, work())],
    ["it is tidied", (background, work) => background.tidy("demo", work)],
  ])("when it is over that %s", async (_, begin) => {
    const background = new BackgroundWork();
    const work = new HeldWork();
    const order: string[] = [];
    begin(background, work.run);
    await work.begun;

    const idle = background.idle("demo").then(() => order.push("is idle"));
    // Whoever waits for nothing gets through meanwhile.
    await background.idle("shop");
    order.push("is over");
    work.end();
    await idle;

    expect(order).toEqual(["is over", "is idle"]);
  });

  it("and has nothing that retires any more", async () => {
    const background = new BackgroundWork();
    const retiring = new HeldWork();
    background.retires(vassal, retiring.run());
    expect(background.retiring("demo")).toEqual(new Set([vassal.ini]));

    retiring.end();
    await background.idle("demo");

    expect(background.retiring("demo")).toEqual(new Set());
  });

  it("also while a vassal that could not be ended is to be ended once more", async () => {
    const background = new BackgroundWork();
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
    const first = new HeldWork();
    const order: string[] = [];
    const one = background.tidy("demo", () => first.run().then(() => order.push("one")));
    const other = background.tidy("demo", () => Promise.resolve(order.push("other")));

    await first.begun;
    first.end();
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
