import { describe, expect, it } from "vitest";
import { absentCommit } from "../../../../src/names/names.ts";
import { summarizeApps } from "../../../../src/agent/verbs/queries.ts";
import { agentWorld, gone } from "../../../support/unit-agent.ts";

/** An app whose first deploy is live; no Emperor runs. */
function liveApp() {
  const { context } = agentWorld();
  const { store } = context;
  const place = { scheme: "http" as const, host: "demo.localhost", path: "/", port: 0 };
  store.instances.place({ name: "demo", app: "demo", branch: "main", place });
  const deploy = store.deploys.start({
    ...{ app: "demo", instance: "demo", reason: "push", account: "ada", holder: gone },
    ...{ ref: "refs/heads/main", oldCommit: absentCommit, newCommit: "a".repeat(40) },
  });
  store.recordLive(deploy, { liveAt: "2026-11-23", milliseconds: 1, settled: true });
  return context;
}

describe("the state of an app", () => {
  it("is none where nothing of it was ever on the air", async () => {
    const { context } = agentWorld();

    expect(await summarizeApps(context)).toMatchObject([{ app: "demo", state: null, url: null }]);
  });

  it("is unknown where the Emperor does not answer", async () => {
    expect(await summarizeApps(liveApp())).toMatchObject([{ app: "demo", state: "unknown" }]);
  });

  it("is degraded where that is on record", async () => {
    const context = liveApp();
    context.store.instances.change("demo", { degraded: "the vassal did not come up" });

    expect(await summarizeApps(context)).toMatchObject([{ app: "demo", state: "degraded" }]);
  });
});
