import { existsSync, writeFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { optionsFile } from "../../../../../src/names/instance.ts";
import { absentCommit } from "../../../../../src/names/names.ts";
import { BackgroundWork } from "../../../../../src/agent/world/background-work.ts";
import { restartStep } from "../../../../../src/agent/deploy/steps/restart.ts";
import { permanentOf } from "../../../../../src/agent/instance/vassals.ts";
import type { Deploy, DeployStrategy } from "../../../../../src/agent/store/deploys.ts";
import { agentWorld, gone } from "../../../../support/unit-agent.ts";

/** Tells what it was to settle. */
class ToldWork extends BackgroundWork {
  readonly started: [string, number][] = [];

  override settle(instance: string, deploy: number): void {
    this.started.push([instance, deploy]);
  }
}

/** An app with a vassal, whose second deploy failed after it had begun to be brought to serve in this way. */
function world(strategy: DeployStrategy | null) {
  const { context, layout } = agentWorld();
  const { store } = context;
  const background = new ToldWork();
  context.background = background;
  const place = { scheme: "http" as const, host: "demo.localhost", path: "/", port: 0 };
  store.instances.place({ name: "demo", app: "demo", branch: "main", place });
  const start = (): Deploy =>
    store.deploys.start({
      ...{ app: "demo", instance: "demo", reason: "push", account: "ada", holder: gone },
      ...{ ref: "refs/heads/main", oldCommit: absentCommit, newCommit: "a".repeat(40) },
    });
  const former = start();
  const { id } = start();
  if (strategy) store.deploys.change(id, { strategy });
  const deploy = store.deploys.get(id)!;
  const { ini, socket } = permanentOf(context, "demo");
  for (const path of [ini, socket]) writeFileSync(path, "");
  return { context, layout, background, former, deploy, ini, socket };
}

describe("taking a restart back", () => {
  it.each([null, "overlap"] as const)("leaves a vassal alone whose deploy had: %s", async (had) => {
    const { context, deploy, ini, socket } = world(had);

    await restartStep.undo(context, deploy);

    expect([ini, socket].map((path) => existsSync(path))).toEqual([true, true]);
  });

  it("leaves no vassal where none was on the air before", async () => {
    const { context, deploy, ini, socket } = world("restart");

    await restartStep.undo(context, deploy);

    expect([ini, `${ini}.held`, socket].filter((path) => existsSync(path))).toEqual([]);
  });

  it("is left to settling where it fails, and stops nothing before its options are read", async () => {
    const { context, layout, background, former, deploy, ini } = world("restart");
    context.store.recordLive(former, { liveAt: "2026-11-23", milliseconds: 1, settled: true });
    writeFileSync(optionsFile(layout, "demo"), "web_processes = many");

    const undone = restartStep.undo(context, deploy);

    await expect(undone).rejects.toMatchObject({ code: "OPTION_INVALID" });
    expect(background.started).toEqual([["demo", former.id]]);
    expect(existsSync(ini)).toBe(true);
  });
});
