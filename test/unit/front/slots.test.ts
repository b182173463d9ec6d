import { describe, expect, it } from "vitest";
import { Slots } from "../../../src/front/slots.ts";

describe("the slots at which git works", () => {
  it("are taken at once where some are free, and by an account only as many as are one's", async () => {
    const slots = new Slots({ all: 3, each: 2 });
    const first = await slots.take("ada");
    await slots.take("ada");
    const order: string[] = [];
    const third = slots.take("ada").then(() => order.push("third"));

    await slots.take("eve");
    order.push("first");
    first();
    await third;

    expect(order).toEqual(["first", "third"]);
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
    await bob;
    expect(entered).toEqual(["bob"]);
    adas();
    await ada;
    expect(entered).toEqual(["bob", "ada"]);
    (await bob)();
    await Promise.all([ada, cid]);
    expect(entered).toEqual(["bob", "ada", "cid"]);
  });

  it("are given back once, however often that is said", async () => {
    const slots = new Slots({ all: 1, each: 2 });
    const leave = await slots.take("ada");
    leave();
    leave();
    const leaveAgain = await slots.take("ada");
    const gone = new AbortController();
    const waiting = slots.take("ada", gone.signal);
    const next = slots.take("ada");

    // Whoever has a place keeps it.
    gone.abort();
    await expect(waiting).rejects.toMatchObject({ code: "RESOURCES_EXHAUSTED" });
    leaveAgain();
    await next;
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
    await slots.take("eve");
  });

  it("are waited for by a bounded number", async () => {
    const slots = new Slots({ all: 1, each: 1 });
    const leave = await slots.take("ada");
    const entered: string[] = [];
    const waiting = Array.from({ length: 200 }, (_, at) =>
      slots.take(`a${at}`).then(() => entered.push(`a${at}`)),
    );

    await expect(slots.take("one more")).rejects.toMatchObject({ code: "RESOURCES_EXHAUSTED" });
    expect(entered).toEqual([]);
    leave();
    await Promise.race(waiting);
    expect(entered).toEqual(["a0"]);
  });

  it("are waited for by fewer of one account, so that others may wait as well", async () => {
    const slots = new Slots({ all: 1, each: 1, work: "commands" });
    const leave = await slots.take("ada");
    const order: string[] = [];
    for (let count = 0; count < 50; count++)
      void slots.take("ada").then((leaveAgain) => {
        order.push("ada");
        leaveAgain();
      });

    await expect(slots.take("ada")).rejects.toMatchObject({
      code: "RESOURCES_EXHAUSTED",
      message: "ada has 1 commands under way, and more are not worked on at a time",
    });
    const eve = slots.take("eve").then(() => order.push("eve"));
    leave();
    await eve;
    expect(order).toEqual([...Array<string>(50).fill("ada"), "eve"]);
  });
});
