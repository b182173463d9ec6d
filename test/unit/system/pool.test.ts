import { describe, expect, it } from "vitest";
import { Pool } from "../../../src/system/pool.ts";
import { Turns } from "../../../src/system/turns.ts";

/** Work that ends when the test says so. */
function work(): { begun: boolean; run: () => Promise<void>; end: () => void } {
  let end: () => void = () => undefined;
  const ended = new Promise<void>((resolve) => (end = resolve));
  const held = {
    begun: false,
    run: () => {
      held.begun = true;
      return ended;
    },
    end: () => end(),
  };
  return held;
}

describe("a pool", () => {
  it("serves as many as it has things, and the others in the order in which they came", async () => {
    const pool = new Pool(["one"]);
    const works = [work(), work(), work()];
    let waiting = 0;
    const used = works.map(({ run }) => pool.use({ onWait: () => (waiting += 1) }, run));
    expect([waiting, works.map(({ begun }) => begun)]).toEqual([2, [true, false, false]]);

    works[0]?.end();
    await used[0];
    await new Promise(setImmediate);

    expect(works.map(({ begun }) => begun)).toEqual([true, true, false]);
    for (const { end } of works) end();
    await Promise.all(used);
  });

  it("serves nobody before those who wait, and after one that failed as after any other", async () => {
    const pool = new Pool(["one"]);
    const order: string[] = [];
    const failing = pool.use({ onWait: () => undefined }, () => Promise.reject(new Error("no")));
    const second = pool.use({ onWait: () => order.push("waits") }, () => {
      order.push("second");
      return Promise.resolve();
    });
    await expect(failing).rejects.toThrow("no");
    const third = pool.use({ onWait: () => undefined }, () => {
      order.push("third");
      return Promise.resolve();
    });
    await Promise.all([second, third]);

    expect(order).toEqual(["waits", "second", "third"]);
  });

  it("has nobody wait for what comes after their work but the next one", async () => {
    const pool = new Pool(["one"]);
    const [afterwards, next] = [work(), work()];
    await pool.use({ onWait: () => undefined }, () => Promise.resolve(), afterwards.run);
    const used = pool.use({ onWait: () => undefined }, next.run);
    await new Promise(setImmediate);
    expect([afterwards.begun, next.begun]).toEqual([true, false]);

    afterwards.end();
    await new Promise(setImmediate);
    expect(next.begun).toBe(true);
    next.end();
    await used;
  });

  it("lets go of whoever is not wanted any more, and never begins for them", async () => {
    const pool = new Pool(["one"]);
    const [first, second, third] = [work(), work(), work()];
    const abort = new AbortController();
    const onWait = (): void => undefined;
    const used = pool.use({ onWait }, first.run);
    const gone = pool.use({ onWait, signal: abort.signal }, second.run);
    const last = pool.use({ onWait }, third.run);

    abort.abort(new Error("cancelled"));

    await expect(gone).rejects.toThrow("cancelled");
    expect(third.begun).toBe(false);
    first.end();
    third.end();
    await Promise.all([used, last]);
    expect(second.begun).toBe(false);
    await expect(pool.use({ onWait, signal: abort.signal }, second.run)).rejects.toThrow(
      "cancelled",
    );
  });
});

describe("a turn", () => {
  it("is not waited for by whoever is not wanted any more, and the others keep theirs", async () => {
    const turns = new Turns();
    const [first, second, third] = [work(), work(), work()];
    const abort = new AbortController();
    const one = turns.run("thing", first.run);
    const two = turns.run("thing", second.run, abort.signal);
    const three = turns.run("thing", third.run);
    await new Promise(setImmediate);

    abort.abort(new Error("cancelled"));

    await expect(two).rejects.toThrow("cancelled");
    expect(third.begun).toBe(false);
    first.end();
    third.end();
    await Promise.all([one, three]);
    expect([second.begun, turns.isTaken("thing")]).toEqual([false, false]);
  });

  it("that has begun is waited for all the same", async () => {
    const turns = new Turns();
    const only = work();
    const abort = new AbortController();
    const one = turns.run("thing", only.run, abort.signal);
    await new Promise(setImmediate);

    abort.abort(new Error("cancelled"));
    only.end();

    await one;
  });

  it("can be waited for without taking one, whether it goes well or not", async () => {
    const turns = new Turns();
    const [first, later] = [work(), work()];
    const failing = turns.run("thing", () =>
      first.run().then(() => Promise.reject(new Error("no"))),
    );
    let isRested = false;
    const resting = turns.rest("thing").then(() => (isRested = true));
    await turns.rest("another");
    await new Promise(setImmediate);
    expect(isRested).toBe(false);

    first.end();
    await expect(failing).rejects.toThrow("no");
    const after = turns.run("thing", later.run);
    await resting;

    later.end();
    await after;
    expect(turns.isTaken("thing")).toBe(false);
  });
});
