import { describe, expect, it } from "vitest";
import { Pool } from "../../../src/system/pool.ts";
import { Turns } from "../../../src/system/turns.ts";
import { HeldWork } from "../../support/held-work.ts";

describe("a pool", () => {
  it("serves as many as it has things, and the others in the order in which they came", async () => {
    const pool = new Pool(["one"]);
    const works = [new HeldWork(), new HeldWork(), new HeldWork()];
    let waiting = 0;
    const used = works.map(({ run }) => pool.use({ onWait: () => (waiting += 1) }, run));
    expect([waiting, works.map(({ isBegun }) => isBegun)]).toEqual([2, [true, false, false]]);

    works[0]?.end();
    await used[0];
    await works[1]?.begun;

    expect(works.map(({ isBegun }) => isBegun)).toEqual([true, true, false]);
    for (const work of works) work.end();
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
    const [afterwards, next] = [new HeldWork(), new HeldWork()];
    let waiting = 0;
    const onWait = (): unknown => (waiting += 1);
    await pool.use({ onWait }, () => Promise.resolve(), afterwards.run);
    expect(afterwards.isBegun).toBe(true);
    const used = pool.use({ onWait }, next.run);
    expect([waiting, next.isBegun]).toEqual([1, false]);

    afterwards.end();
    await next.begun;
    next.end();
    await used;
  });

  it("lets go of whoever is not wanted any more, and never begins for them", async () => {
    const pool = new Pool(["one"]);
    const [first, second, third] = [new HeldWork(), new HeldWork(), new HeldWork()];
    const abort = new AbortController();
    const onWait = (): void => undefined;
    const used = pool.use({ onWait }, first.run);
    const gone = pool.use({ onWait, signal: abort.signal }, second.run);
    const last = pool.use({ onWait }, third.run);

    abort.abort(new Error("cancelled"));

    await expect(gone).rejects.toThrow("cancelled");
    expect(third.isBegun).toBe(false);
    first.end();
    third.end();
    await Promise.all([used, last]);
    expect(second.isBegun).toBe(false);
    await expect(pool.use({ onWait, signal: abort.signal }, second.run)).rejects.toThrow(
      "cancelled",
    );
  });
});

describe("a turn", () => {
  it("is not waited for by whoever is not wanted any more, and the others keep theirs", async () => {
    const turns = new Turns();
    const [first, second, third] = [new HeldWork(), new HeldWork(), new HeldWork()];
    const abort = new AbortController();
    const one = turns.run("thing", first.run);
    const two = turns.run("thing", second.run, abort.signal);
    const three = turns.run("thing", third.run);
    await first.begun;

    abort.abort(new Error("cancelled"));

    await expect(two).rejects.toThrow("cancelled");
    expect(third.isBegun).toBe(false);
    first.end();
    third.end();
    await Promise.all([one, three]);
    expect([second.isBegun, turns.isTaken("thing")]).toEqual([false, false]);
  });

  it("that has begun is waited for all the same", async () => {
    const turns = new Turns();
    const only = new HeldWork();
    const abort = new AbortController();
    const one = turns.run("thing", only.run, abort.signal);
    await only.begun;

    abort.abort(new Error("cancelled"));
    only.end();

    await one;
  });

  it("can be waited for without taking one, whether it goes well or not", async () => {
    const turns = new Turns();
    const [first, later] = [new HeldWork(), new HeldWork()];
    const failing = turns.run("thing", () =>
      first.run().then(() => Promise.reject(new Error("no"))),
    );
    const order: string[] = [];
    const resting = turns.rest("thing").then(() => order.push("rested"));
    await turns.rest("another");
    await first.begun;

    order.push("ends");
    first.end();
    await expect(failing).rejects.toThrow("no");
    const after = turns.run("thing", later.run);
    await resting;
    expect(order).toEqual(["ends", "rested"]);

    later.end();
    await after;
    expect(turns.isTaken("thing")).toBe(false);
  });
});
