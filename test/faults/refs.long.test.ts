import { rmSync, writeFileSync } from "node:fs";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { RefLock } from "../support/ref-lock.ts";
import { eventually } from "../support/server.ts";
import { Stage } from "./stage.ts";

/** `update` ends well, the release is proven, and git does not move the branch all the same. */
const refusals: [string, string[], (stage: Stage) => () => unknown][] = [
  ["another ref of an atomic push is bad", ["--atomic", "+HEAD:main", "+HEAD:refs/notes/x"], none],
  [
    "an atomic push wants a tag beneath a tag",
    ["--atomic", "+HEAD:main", "+HEAD:refs/tags/zed/x"],
    tag,
  ],
  [
    "another git has a lock on the branch, and ends",
    ["+HEAD:main"],
    ({ server }) => {
      const lock = new RefLock(server, "demo", "refs/heads/main");
      return async () => {
        await lock.leave();
        await eventually(() => !lock.isThere);
      };
    },
  ],
];

function none(): () => void {
  return () => undefined;
}

/** `zed` is there, so `zed/x` cannot be. */
function tag({ server }: Stage): () => void {
  const path = server.path("lib/repositories/demo.git/refs/tags/zed");
  writeFileSync(path, server.read("lib/repositories/demo.git/refs/heads/main"));
  return () => rmSync(path, { force: true });
}

describe("a branch that does not move", () => {
  let stage: Stage;

  beforeAll(async () => {
    stage = await Stage.open();
  });
  afterAll(() => stage.close());

  it.each(refusals)("because %s leaves everything as it was", async (_, words, prepare) => {
    await stage.come();
    const served = await stage.onTheAir();
    await stage.nextCommit();
    const mend = prepare(stage);

    const push = await stage.demo.push(...words);

    await mend();
    expect(push.exitCode, push.output).toBe(1);
    expect(await stage.onTheAir()).toBe(served);
    expect(await stage.whole()).toEqual([]);
    expect(await stage.leave()).toEqual({ demo: [], other: [] });
    const next = await stage.pushAgain();
    expect(next.exitCode, next.output).toBe(0);
    expect(next.served).toBe(next.text);
  });
});
