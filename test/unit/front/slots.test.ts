import { describe, expect, it } from "vitest";
import { Slots } from "../../../src/front/slots.ts";

/** Whether it is done in this moment, without waiting. */
async function isDone(work: Promise<unknown>): Promise<boolean> {
  return Promise.race([
    work.then(
      () => true,
      () => true,
    ),
    new Promise<boolean>((resolve) => setTimeout(() => resolve(false), 5)),
  ]);
}

describe("the slots at which git works", () => {
  it("are taken at once where some are free, and by an account only as many as are one's", async () => {
    const slots = new Slots({ all: 3, each: 2 });
    const first = await slots.take("ada");
    await slots.take("ada");
    const third = slots.take("ada");

    expect(await isDone(slots.take("eve"))).toBe(true);
    expect(await isDone(third)).toBe(false);
    first();
    expect(await isDone(third)).toBe(true);
  });

  it("go to who waits longest and may have one", async () => {
    const slots = new Slots({ all: 2, each: 1 });
    const adas = await slots.take("ada");
    const eves = await slots.take("eve");
    const entered: string[] = [];
    const wait = async (name: string): Promise<() => void> => {
      const leave = await slots.take(name);
      entered.push(name);
      return leave;
    };
    const [ada, bob, cid] = [wait("ada"), wait("bob"), wait("cid")];
    eves();
    await isDone(Promise.resolve());
    expect(entered).toEqual(["bob"]);
    adas();
    await isDone(Promise.resolve());
    expect(entered).toEqual(["bob", "ada"]);
    (await bob)();
    await Promise.all([ada, cid]);
    expect(entered).toEqual(["bob", "ada", "cid"]);
  });

  it("are given back once, however often that is said", async () => {
    const slots = new Slots({ all: 1, each: 1 });
    const leave = await slots.take("ada");
    leave();
    leave();
    await slots.take("ada");

    expect(await isDone(slots.take("ada"))).toBe(false);
  });

  it("are waited for only so long, and by nobody who is gone", async () => {
    const slots = new Slots({ all: 1, each: 1 }, 20);
    const leave = await slots.take("ada");
    const gone = new AbortController();
    const left = slots.take("eve", gone.signal);
    gone.abort();

    await expect(left).rejects.toMatchObject({ code: "RESOURCES_EXHAUSTED" });
    await expect(slots.take("ada")).rejects.toMatchObject({
      code: "RESOURCES_EXHAUSTED",
      message: "ada has 1 pushes and fetches under way, and more are not worked on at a time",
    });
    leave();
    expect(await isDone(slots.take("eve"))).toBe(true);
  });

  it("are waited for by a bounded number", async () => {
    const slots = new Slots({ all: 1, each: 1 });
    await slots.take("ada");
    const waiting = Array.from({ length: 200 }, (_, at) => slots.take(`a${at}`));

    await expect(slots.take("one more")).rejects.toMatchObject({ code: "RESOURCES_EXHAUSTED" });
    expect(await isDone(Promise.race(waiting))).toBe(false);
  });

  it("are waited for by fewer of one account, so that others may wait as well", async () => {
    const slots = new Slots({ all: 1, each: 1, work: "commands" });
    await slots.take("ada");
    const waiting = Array.from({ length: 50 }, () => slots.take("ada"));

    await expect(slots.take("ada")).rejects.toMatchObject({
      code: "RESOURCES_EXHAUSTED",
      message: "ada has 1 commands under way, and more are not worked on at a time",
    });
    expect(await isDone(Promise.race([...waiting, slots.take("eve")]))).toBe(false);
  });
});
