import { describe, expect, it } from "vitest";
import { Places } from "../../../src/front/places.ts";

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

describe("the places at which git works", () => {
  it("are taken at once where some are free, and by an account only as many as are one's", async () => {
    const places = new Places({ all: 3, each: 2 });
    const first = await places.take("ada");
    await places.take("ada");
    const third = places.take("ada");

    expect(await isDone(places.take("eve"))).toBe(true);
    expect(await isDone(third)).toBe(false);
    first();
    expect(await isDone(third)).toBe(true);
  });

  it("go to who waits longest and may have one", async () => {
    const places = new Places({ all: 2, each: 1 });
    const adas = await places.take("ada");
    const eves = await places.take("eve");
    const entered: string[] = [];
    const wait = async (name: string): Promise<void> => {
      await places.take(name);
      entered.push(name);
    };
    void wait("ada");
    void wait("bob");
    void wait("cid");
    eves();
    await isDone(Promise.resolve());
    expect(entered).toEqual(["bob"]);
    adas();
    await isDone(Promise.resolve());
    expect(entered).toEqual(["bob", "ada"]);
  });

  it("are given back once, however often that is said", async () => {
    const places = new Places({ all: 1, each: 1 });
    const leave = await places.take("ada");
    leave();
    leave();
    await places.take("ada");

    expect(await isDone(places.take("ada"))).toBe(false);
  });

  it("are waited for only so long, and by nobody who is gone", async () => {
    const places = new Places({ all: 1, each: 1 }, 20);
    const leave = await places.take("ada");
    const gone = new AbortController();
    const left = places.take("eve", gone.signal);
    gone.abort();

    await expect(left).rejects.toMatchObject({ code: "RESOURCES_EXHAUSTED" });
    await expect(places.take("ada")).rejects.toMatchObject({
      code: "RESOURCES_EXHAUSTED",
      message: "ada has 1 pushes and fetches under way, and more are not worked on at a time",
    });
    leave();
    expect(await isDone(places.take("eve"))).toBe(true);
  });

  it("are waited for by a bounded number", async () => {
    const places = new Places({ all: 1, each: 1 });
    await places.take("ada");
    const waiting = Array.from({ length: 200 }, (_, at) => places.take(`a${at}`));

    await expect(places.take("one more")).rejects.toMatchObject({ code: "RESOURCES_EXHAUSTED" });
    expect(await isDone(Promise.race(waiting))).toBe(false);
  });

  it("are waited for by fewer of one account, so that others may wait as well", async () => {
    const places = new Places({ all: 1, each: 1, work: "commands" });
    await places.take("ada");
    for (let count = 0; count < 50; count++) void places.take("ada");

    await expect(places.take("ada")).rejects.toMatchObject({
      code: "RESOURCES_EXHAUSTED",
      message: "ada has 1 commands under way, and more are not worked on at a time",
    });
    expect(await isDone(places.take("eve"))).toBe(false);
  });
});
