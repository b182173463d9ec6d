import { existsSync, mkdirSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { tidiedFor, tidy } from "../../../../src/agent/converge/tidy.ts";
import { agentWorld, gone, previewOf } from "../../../support/unit-agent.ts";

const name = "shop--demo";

/** A preview on the air, with a release beside it that nobody needs. */
function world() {
  const made = agentWorld();
  const { newCommit } = previewOf(made, "shop", new Date());
  const { context, layout } = made;
  Object.assign(context.config.server, { kept_releases: 1 });
  const releases = join(layout.srv, name, "releases");
  const [kept, left] = [join(releases, newCommit), join(releases, "0".repeat(40))];
  for (const folder of [kept, left]) mkdirSync(folder, { recursive: true });
  return { context, kept, left };
}

describe("tidying an instance", () => {
  it("is left to the deploy that has its lock, and is done before the next one", async () => {
    const { context, kept, left } = world();
    await context.locks.take(name, gone, () => undefined);

    expect(await tidy(context, name)).toEqual([]);
    expect(existsSync(left)).toBe(true);
    // It was refused, and another one has the lock by now.
    await tidiedFor(context, name);

    expect([kept, left].map((path) => existsSync(path))).toEqual([true, false]);
  });

  it("is done again before the next deploy, which waits for it, where it could not be done", async () => {
    const { context, kept, left } = world();
    const { locks, system } = context;
    const refused = new Error("no room");
    context.system = Object.assign(Object.create(system) as typeof system, {
      run: () => Promise.reject(refused),
    });
    const tidying = tidy(context, name);
    await locks.take(name, gone, () => undefined);
    const waiting = tidiedFor(context, name);

    await expect(tidying).rejects.toBe(refused);
    context.system = system;
    await waiting;

    expect([kept, left].map((path) => existsSync(path))).toEqual([true, false]);
  });

  it("is not done by a deploy that nothing was left to", async () => {
    const { context, left } = world();
    await context.locks.take(name, gone, () => undefined);

    await tidiedFor(context, name);

    expect(existsSync(left)).toBe(true);
  });
});
