import { existsSync, readlinkSync, rmSync, writeFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { optionsFile, socketBehind } from "../../../../../src/names/instance.ts";
import { absentCommit } from "../../../../../src/names/names.ts";
import { BackgroundWork } from "../../../../../src/agent/world/background-work.ts";
import { restartStep } from "../../../../../src/agent/deploy/steps/restart.ts";
import { permanentOf } from "../../../../../src/agent/instance/vassals.ts";
import type { Deploy, DeployStrategy } from "../../../../../src/agent/store/deploys.ts";
import { pathsOf } from "../../../../../src/agent/world/context.ts";
import { agentWorld, gone } from "../../../../support/unit-agent.ts";
import { push, pushDegraded, servingWorld, setOptions } from "../../../../support/unit-serving.ts";

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

describe("a restart that is refused while the former release has not settled", () => {
  /** Its understudy has the traffic; from now on the app cannot run beside itself. */
  async function unsettled() {
    const made = await servingWorld();
    const live = await pushDegraded(made);
    setOptions(made, "overlap = false");
    const { app, link } = pathsOf(made.context, "demo");
    return { ...made, live, app, row: () => made.context.store.instances.get("demo"), link };
  }

  it("has that release in the vassal for good, which is then settled", async () => {
    const { live, app, row, link, ...made } = await unsettled();
    made.emperor.app = () => (readlinkSync(app).endsWith(live.newCommit) ? 200 : 500);

    const refused = push(made, { files: { "new.py": "" } });

    await expect(refused).rejects.toMatchObject({ code: "APP_UNHEALTHY" });
    expect(row()).toMatchObject({ live: live.id, settled: live.id, degraded: null });
    expect(made.context.store.deploys.get(live.id)?.note).toBe("settled");
    expect(readlinkSync(socketBehind(link))).toMatch(/\/demo\.sock$/);
    expect(made.emperor.running).toEqual(["demo.ini"]);
  });

  it("is left to settling where that release does not come up either", async () => {
    const { live, app, row, link, ...made } = await unsettled();
    const { background, store } = made.context;
    made.emperor.app = () => 500;

    const refused = push(made, { files: { "new.py": "" } });

    await expect(refused).rejects.toMatchObject({ code: "APP_UNHEALTHY" });
    await background.rested("demo");
    expect(store.deploys.get(live.id)?.note).toBe(
      "the vassal came up and is not well: GET / answered 500",
    );
    expect(row()).toMatchObject({ live: live.id, settled: null });
    // The Emperor goes on trying.
    expect(made.emperor.running).toEqual(["demo.ini"]);
    expect(readlinkSync(app)).toBe(`releases/${live.newCommit}`);
    expect(readlinkSync(socketBehind(link))).toMatch(/\/demo\.sock$/);
    background.supersede("demo");
  });
});

describe("an app that cannot run beside itself, without an Emperor", () => {
  it("is not stopped, since nobody would start it again", async () => {
    const made = await servingWorld("overlap = false");
    await push(made);
    const before = made.emperor.vassals;
    for (const path of [made.layout.emperorStats, made.layout.emperorPid]) rmSync(path);

    const refused = push(made, { files: { "new.py": "" } });

    await expect(refused).rejects.toMatchObject({ code: "EMPEROR_DOWN" });
    expect(made.emperor.vassals).toEqual(before);
  });

  it("has its ini back for the next one where the Emperor went with the new release", async () => {
    const made = await servingWorld("overlap = false");
    const { context, emperor, layout } = made;
    const former = await push(made);
    emperor.app = () => {
      rmSync(layout.emperorPid, { force: true });
      return 500;
    };

    const refused = push(made, { files: { "new.py": "" } });

    await expect(refused).rejects.toMatchObject({ code: "APP_UNHEALTHY" });
    const { ini } = permanentOf(context, "demo");
    expect([existsSync(ini), existsSync(`${ini}.held`)]).toEqual([true, false]);
    expect(readlinkSync(pathsOf(context, "demo").app)).toBe(`releases/${former.newCommit}`);
  });
});
