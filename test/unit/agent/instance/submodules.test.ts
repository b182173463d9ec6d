import { mkdirSync, readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { optionsFile, submodulesPath } from "../../../../src/names/instance.ts";
import { tidySubmodules } from "../../../../src/agent/instance/submodules.ts";
import { pathsOf } from "../../../../src/agent/world/context.ts";
import { absentCommit } from "../../../../src/names/names.ts";
import { agentWorld, gone, previewOf } from "../../../support/unit-agent.ts";
import { push, servingWorld } from "../../../support/unit-serving.ts";

const [preparing, released, staged, over, left] = ["1", "2", "3", "4", "5"].map((digit) =>
  digit.repeat(40),
) as [string, string, string, string, string];

describe("what was fetched for an app's submodules", () => {
  it("goes with the last release that needs it, and stays for what is on its way", async () => {
    const world = agentWorld();
    const { context, layout } = world;
    previewOf(world, "shop", new Date());
    const [, ended] = [preparing, over].map((newCommit) =>
      context.store.deploys.start({
        ...{ app: "demo", instance: "shop--demo", reason: "push", account: "ada", holder: gone },
        ...{ ref: "refs/heads/shop", oldCommit: absentCommit, newCommit },
      }),
    );
    const { releases, staging } = pathsOf(context, "shop--demo");
    for (const folder of [join(releases, released), staging])
      mkdirSync(folder, { recursive: true });
    writeFileSync(join(staging, "basis"), staged);
    const whole = join(submodulesPath(layout, "demo"), "whole");
    for (const commit of [preparing, released, staged, over, left])
      mkdirSync(join(whole, commit), { recursive: true });

    await tidySubmodules(context, "demo", ended);

    expect(readdirSync(whole).sort()).toEqual([preparing, released, staged]);
  });

  it("is nothing for an app that has none", async () => {
    const { context, layout } = agentWorld();

    await tidySubmodules(context, "demo");

    expect(readdirSync(layout.state)).not.toContain("submodules");
  });
});

describe("a push to an app whose submodules are fetched", () => {
  const world = async () => {
    const made = await servingWorld();
    writeFileSync(optionsFile(made.layout, "demo"), "submodules = true");
    return made;
  };

  it("is as any other where the commit has none", async () => {
    const made = await world();

    expect(await push(made)).toMatchObject({ state: "live" });
    expect(await push(made, { reason: "redeploy" })).toMatchObject({ state: "live" });
  });

  it("is refused where the commit has one, and the server names no host to fetch from", async () => {
    const made = await world();
    const address = "https://git.example/x.git";
    const files = {
      ".gitmodules": `[submodule "x"]\n\tpath = x\n\turl = ${address}\n`,
      x: { commit: left },
    };

    const refused = push(made, { files });

    await expect(refused).rejects.toThrow("git.example");
    expect(made.emperor.running).toEqual([]);
  });
});
