import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { absentCommit } from "../../../../src/names/names.ts";
import { conclude, type Outcome } from "../../../../src/agent/deploy/conclude.ts";
import { DeployReport } from "../../../../src/agent/deploy/report.ts";
import { UserError } from "../../../../src/errors.ts";
import type { DeployReason } from "../../../../src/names/deploy.ts";
import type { Deploy, DeployStrategy } from "../../../../src/agent/store/deploys.ts";
import { agentWorld, gone, type AgentWorld } from "../../../support/unit-agent.ts";

/** A deploy of an app that has its place, under way. */
function begun(reason: DeployReason = "push"): AgentWorld & { deploy: Deploy } {
  const world = agentWorld();
  const { store } = world.context;
  const place = { scheme: "http" as const, host: "demo.localhost", path: "/", port: 0 };
  store.instances.place({ name: "demo", app: "demo", branch: "main", place });
  const deploy = store.deploys.start({
    ...{ app: "demo", instance: "demo", reason, account: "ada", holder: gone },
    ...{ ref: "refs/heads/main", oldCommit: absentCommit, newCommit: "a".repeat(40) },
  });
  return { ...world, deploy };
}

const refused: Outcome = { state: "refused", error: new UserError("PUSH_GONE", "it is gone") };

describe("the end of a deploy", () => {
  it.each<[Outcome, object]>([
    [{ state: "live" }, { error: null }],
    [{ state: "removed" }, { liveAt: null, error: null }],
    [refused, { liveAt: null, error: "error[PUSH_GONE]: it is gone\nhint: Push again." }],
  ])("as %j is on record, with how long it took", (outcome, more) => {
    const { context, deploy } = begun();
    const started = new Date(Date.now() - 5000).toISOString();

    const took = conclude(context, { ...deploy, startedAt: started }, outcome);

    const after = context.store.deploys.get(deploy.id);
    expect(after).toMatchObject({ state: outcome.state, milliseconds: took, note: null, ...more });
    expect(took).toBeGreaterThanOrEqual(5000);
    expect(took).toBeLessThan(8000);
    expect(context.store.deploys.unfinished()).toEqual([]);
  });

  it.each<[DeployStrategy, object]>([
    ["restart", { settled: 1, degraded: null }],
    ["overlap", { settled: null, degraded: "it did not start" }],
  ])("that is live is its instance's, and settled where nothing follows: %s", (strategy, more) => {
    const { context, deploy } = begun();
    context.store.instances.change("demo", { degraded: "it did not start" });

    conclude(context, { ...deploy, strategy }, { state: "live" });

    const { liveAt } = context.store.deploys.get(deploy.id)!;
    expect(context.store.instances.get("demo")).toMatchObject({ live: deploy.id, ...more });
    expect(Date.now() - Date.parse(liveAt!)).toBeLessThan(3000);
  });

  it("leaves what its instance has on the air alone where it was refused", () => {
    const { context, deploy } = begun("rebuild");

    conclude(context, deploy, refused);

    expect(context.store.instances.get("demo")).toMatchObject({ live: null, settled: null });
    expect(context.store.apps.generation("demo", false)).toBe(0);
  });

  it("took no less than nothing where the clock was set back meanwhile", () => {
    const { context, deploy } = begun();
    const startedAt = new Date(Date.now() + 60_000).toISOString();

    expect(conclude(context, { ...deploy, startedAt }, { state: "removed" })).toBe(0);
  });

  it("tells nobody a password that an error quotes", () => {
    const { context, deploy } = begun();
    const error = new UserError("ENVIRONMENT_FAILED", "no https://ada:secret@index.example/simple");

    conclude(context, deploy, { state: "refused", error });

    const kept = context.store.deploys.get(deploy.id)?.error;
    expect(kept).toContain("no https://***@index.example/simple\nhint: ");
  });

  it("has all in the deploy's log that it said so far", () => {
    const { context, deploy, layout } = begun();
    const log = join(layout.home, "1.log");
    const report = new DeployReport(context.store, () => undefined);
    report.keepLog(log);
    // So much that it is held back.
    for (let line = 0; line < 10_000; line += 1) report.line(`line ${line}`);
    report.line("refused");
    expect(readFileSync(log, "utf8")).not.toContain("refused");

    conclude(context, deploy, refused, report);

    expect(readFileSync(log, "utf8").endsWith("line 9999\nrefused\n")).toBe(true);
  });
});

describe("a deploy that somebody has stopped", () => {
  it("is none to stop any more when it has ended", async () => {
    const { context, deploy } = begun();
    await context.attempts.stop(deploy.id, new Error("cancelled"));

    conclude(context, deploy, refused);

    expect(context.attempts.signalOf(deploy.id).aborted).toBe(false);
  });

  it("stays stopped as long as its end cannot be written down", async () => {
    const { context, deploy } = begun();
    await context.attempts.stop(deploy.id, new Error("cancelled"));
    const write = context.store.deploys.change.bind(context.store.deploys);
    context.store.deploys.change = () => {
      throw new Error("database or disk is full");
    };

    expect(() => conclude(context, deploy, refused)).toThrow("full");
    expect(context.attempts.signalOf(deploy.id).aborted).toBe(true);

    context.store.deploys.change = write;
    conclude(context, deploy, refused);
    expect(context.store.deploys.get(deploy.id)?.state).toBe("refused");
  });
});
