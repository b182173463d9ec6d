import { spawn } from "node:child_process";
import { once } from "node:events";
import { describe, expect, it } from "vitest";
import { HolderLocks } from "../../../../src/agent/world/locks.ts";
import { findProcess } from "../../../../src/system/processes.ts";
import type { Holder } from "../../../../src/names/deploy.ts";

function holder(pid: number, turn = 0): Holder {
  return { pid, startTime: 100, turn };
}

const [first, second, third] = [holder(1), holder(2), holder(3)];

/** Each wants the lock in turn; `got` grows as they get it, and `gets` resolves when the one at this place has. */
function queue(
  locks: HolderLocks,
  holders: Holder[],
): { got: Holder[]; waited: Holder[]; gets: Promise<unknown>[] } {
  const seen = { got: [] as Holder[], waited: [] as Holder[] };
  const gets = holders.map((one) =>
    locks.take("demo", one, () => seen.waited.push(one)).then(() => seen.got.push(one)),
  );
  return { ...seen, gets };
}

describe("an instance's lock", () => {
  it("is its holder's until it is released, and then whose turn it is", async () => {
    const locks = new HolderLocks();
    const { gets } = queue(locks, [first, second]);

    await gets[0];
    expect([first, second].map((one) => locks.isHeldBy("demo", one))).toEqual([true, false]);

    locks.release(first);
    await gets[1];
    expect([first, second].map((one) => locks.isHeldBy("demo", one))).toEqual([false, true]);
    expect(locks.isHeldBy("other", second)).toBe(false);
  });

  it("is one holder's at a time, in the order in which they came", async () => {
    const locks = new HolderLocks();
    const { got, waited, gets } = queue(locks, [first, second, third]);

    await gets[0];
    expect(got).toEqual([first]);
    expect(waited).toEqual([second, third]);

    locks.release(first);
    await gets[1];
    expect(got).toEqual([first, second]);

    locks.release(second);
    locks.release(third);
    await gets[2];
    expect(got).toEqual([first, second, third]);
    expect(locks.isHeld("demo")).toBe(false);
  });

  it("is refused where two pushes would wait for each other for ever", async () => {
    const locks = new HolderLocks();
    const nothing = (): void => undefined;
    await locks.take("a", first, nothing);
    await locks.take("b", second, nothing);
    await locks.take("c", third, nothing);
    const waiting = [locks.take("b", first, nothing), locks.take("c", second, nothing)];

    await expect(locks.take("a", third, nothing)).rejects.toMatchObject({ code: "PUSHES_CROSSED" });

    locks.release(third);
    locks.release(second);
    await expect(Promise.all(waiting)).resolves.toHaveLength(2);
  });

  it("can be taken again by who has it: all refs of one push share their holder", async () => {
    const locks = new HolderLocks();

    const { got, waited, gets } = queue(locks, [first, { ...first }]);

    await Promise.all(gets);
    expect(got).toEqual([first, first]);
    expect(waited).toEqual([]);
    locks.release(first);
    expect(locks.isHeld("demo")).toBe(false);
  });

  it.each([
    ["a later process with the same number", { ...first, startTime: 101 }],
    ["another command of the same process", { ...first, turn: 1 }],
  ])("is not shared with %s", async (_, other) => {
    const locks = new HolderLocks();

    const { got, waited, gets } = queue(locks, [first, other]);

    await gets[0];
    expect([got, waited]).toEqual([[first], [other]]);
    locks.release(other);
    expect(locks.isHeldBy("demo", first)).toBe(true);
    locks.release(first);
    await gets[1];
    expect(got).toEqual([first, other]);
  });

  it("does not keep anybody from another instance", async () => {
    const locks = new HolderLocks();
    await locks.take("demo", first, () => undefined);

    await locks.take("shop", second, () => expect.unreachable("nobody has shop"));

    expect(locks.isHeld("demo")).toBe(true);
    expect(locks.isHeld("shop")).toBe(true);
  });

  it("goes with all the others of a holder that is done", async () => {
    const locks = new HolderLocks();
    await locks.take("demo", first, () => undefined);
    await locks.take("shop", first, () => undefined);
    await locks.take("blog", second, () => undefined);

    locks.release(first);

    expect(["demo", "shop", "blog"].map((name) => locks.isHeld(name))).toEqual([
      false,
      false,
      true,
    ]);
  });

  it("is not touched by a holder that has none", () => {
    const locks = new HolderLocks();

    expect(() => locks.release(first)).not.toThrow();
  });
});

describe("a holder that is gone", () => {
  it("is found, so that somebody can judge it and hand its lock on", async () => {
    const locks = new HolderLocks();
    const child = spawn("sleep", ["60"]);
    const living = { ...(await findProcess(process.pid))!, turn: 0 };
    const dying = { ...(await findProcess(child.pid!))!, turn: 0 };
    await locks.take("demo", dying, () => undefined);
    await locks.take("shop", living, () => undefined);
    const before = await locks.deadHolders();

    child.kill("SIGKILL");
    await once(child, "exit");

    expect(before).toEqual([]);
    expect(await locks.deadHolders()).toEqual([dying]);
  });

  it("while it waited is found when its turn has come", async () => {
    const locks = new HolderLocks();
    const gone = holder(4_194_305);
    const living = { ...(await findProcess(process.pid))!, turn: 0 };
    const { got, gets } = queue(locks, [living, gone, second]);

    locks.release(living);
    for (const dead of await locks.deadHolders()) locks.release(dead);
    await gets[2];

    expect(got).toEqual([living, gone, second]);
  });

  it("stays with a holder whose end could not be judged, and who is to be judged again", async () => {
    const locks = new HolderLocks();
    const alive = { ...(await findProcess(process.pid))!, turn: 0 };
    const { got, gets } = queue(locks, [alive, second]);

    locks.keep(alive);
    await gets[0];
    expect(got).toEqual([alive]);
    expect(await locks.deadHolders()).toEqual([alive]);

    locks.release(alive);
    await gets[1];
    expect(got).toEqual([alive, second]);
    expect(await locks.deadHolders()).not.toContainEqual(alive);
  });
});
