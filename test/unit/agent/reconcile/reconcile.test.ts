import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import type { DeployContext } from "../../../../src/agent/world/context.ts";
import { startDeploy } from "../../../../src/agent/deploy/deploy.ts";
import { confirmRef, judgeHolder } from "../../../../src/agent/deploy/judge.ts";
import { reconcile } from "../../../../src/agent/reconcile/reconcile.ts";
import { startRemoval } from "../../../../src/agent/deploy/remove.ts";
import type { Command, RunOptions } from "../../../../src/system/system.ts";
import { agentWorld, claim, goLive, gone, place, previewOf } from "../../../support/unit-agent.ts";
import { UnprivilegedSystem } from "../../../support/unit-identity.ts";

const ref = "refs/heads/shop";

/** The real host, with a memory. */
class RememberingHost extends UnprivilegedSystem {
  readonly lines: string[] = [];

  override run(command: Command, options?: RunOptions): Promise<string> {
    this.lines.push(command.args.join(" "));
    return super.run(command, options);
  }
}

describe("a reconciliation beside the agent's other work", () => {
  it.each<[string, (context: DeployContext) => Promise<unknown>]>([
    ["a reconciliation", (context) => reconcile(context, false)],
    ["git's word", (context) => confirmRef(context, { holder: gone, ref }, () => undefined)],
  ])("%s and the end of the push it is about do what is left of it once", async (_, other) => {
    const world = agentWorld();
    const { context, repository, layout } = world;
    const host = new RememberingHost();
    context.system = host;
    const { newCommit } = previewOf(world, "shop", new Date());
    mkdirSync(join(layout.srv, "shop--demo/releases", newCommit), { recursive: true });
    const row = context.store.instances.get("shop--demo")!;
    const removal = startRemoval(context, row, {
      ...{ ref, oldCommit: newCommit, account: "ada", holder: gone },
      subject: "the branch is gone",
    });
    context.store.deploys.change(removal.id, { state: "switched" });
    repository.run(["update-ref", "-d", ref]);

    await Promise.all([other(context), judgeHolder(context, gone)]);

    expect(context.store.deploys.get(removal.id)?.state).toBe("removed");
    expect(host.lines.filter((line) => line.includes("refs/reeve/releases/"))).toHaveLength(1);
  });

  // Each time a preview's first push begins a little later.
  it("leaves a preview alone whose first push has come between, at whatever moment", async () => {
    for (let turns = 0; turns < 12; turns += 1) {
      const world = agentWorld();
      const { context, repository } = world;
      claim(world, "shop");

      const reconciling = reconcile(context, false);
      for (let turn = 0; turn < turns; turn += 1) await new Promise(setImmediate);
      await context.locks.take("shop--demo", gone, () => undefined);
      claim(world, "shop");
      await new Promise((resolve) => setTimeout(resolve, 5));
      place(world, "shop");
      repository.run(["update-ref", "refs/heads/shop", "refs/heads/main"]);
      goLive(world, "shop", new Date());
      context.locks.release(gone);
      await reconciling;

      expect(context.store.instances.get("shop--demo"), `after ${turns} turns`).toBeDefined();
      expect(context.store.previews.of("demo", "shop"), `after ${turns} turns`).toBeDefined();
    }
  });
});

describe("an app that is being removed", () => {
  it("takes no push any more, and no branch of it gets a name", async () => {
    const { context, repository } = agentWorld();
    context.store.apps.markDestroyed("demo");
    const request = {
      ...{ app: "demo", ref: "refs/heads/shop", account: "ada", reason: "push" as const },
      ...{ oldCommit: "0".repeat(40), newCommit: repository.run(["rev-parse", "main"]).trim() },
      ...{ holder: gone, preview: "shop" },
    };

    const starting = startDeploy(context, request, () => undefined);

    await expect(starting).rejects.toMatchObject({ code: "APP_UNKNOWN" });
    expect(context.store.previews.all()).toEqual([]);
  });
});
