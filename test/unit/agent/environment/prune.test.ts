import { readdirSync, writeFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { environmentPath } from "../../../../src/names/instance.ts";
import { pruneEnvironments } from "../../../../src/agent/environment/prune.ts";
import { build, demo, one, three, two } from "../../../support/unit-environment.ts";

describe("environments that nothing needs any more", () => {
  it("go, with those that were never finished; those that are kept stay", async () => {
    const context = demo("true");
    for (const hash of [one, two, three]) await build(context, hash);
    writeFileSync(`${environmentPath(context.paths, two)}.building`, "");
    const begun = "f".repeat(16);
    writeFileSync(`${environmentPath(context.paths, begun)}.building`, "");

    const removed = await pruneEnvironments(context, new Set([one, two]));

    expect(removed.sort()).toEqual([two, three, begun].sort());
    expect(readdirSync(context.paths.environments).sort()).toEqual([".cache", one]);
  });

  it("stay as long as they are being built", async () => {
    const context = demo("true");
    for (const hash of [one, two]) await build(context, hash);
    const path = environmentPath(context.paths, one);
    let end: () => void = () => undefined;
    const building = context.turns.run(path, () => new Promise<void>((resolve) => (end = resolve)));

    expect(await pruneEnvironments(context, new Set())).toEqual([two]);

    end();
    await building;
    expect(await pruneEnvironments(context, new Set())).toEqual([one]);
  });
});
