import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import type { DeployContext } from "../../../../src/agent/world/context.ts";
import { startDeploy } from "../../../../src/agent/deploy/deploy.ts";
import { confirmRef, judgeHolder } from "../../../../src/agent/deploy/judge.ts";
import { reconcile } from "../../../../src/agent/reconcile/reconcile.ts";
import { startRemoval } from "../../../../src/agent/deploy/remove.ts";
import type { Command, RunOptions } from "../../../../src/system/system.ts";
import {
  agentWorld,
  claim,
  goLive,
  gone,
  place,
  previewOf,
  type AgentWorld,
} from "../../../support/unit-agent.ts";
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

  // Each moment is held until the push has its lock, or waits for it.
  describe.each<[string, (world: AgentWorld, comes: () => void) => void]>([
    ["when what is on the way is looked through", (world, comes) => atList(world, 1, comes)],
    ["when it was found with nothing on the air", (world, comes) => atList(world, 2, comes)],
    ["when its lock is about to be taken", (world, comes) => atLock(world, { before: comes })],
    ["when its lock is taken", (world, comes) => atLock(world, { behind: comes })],
    ["when what is on the air is looked through", (world, comes) => atInstances(world, comes)],
    ["when what a crash left is looked for", (world, comes) => atList(world, 3, comes)],
  ])("leaves a preview alone whose first push comes %s", (_, at) => {
    it.each([
      ["and goes live at once", true],
      ["and goes live when all is reconciled", false],
    ])("%s", async (__, isAtOnce) => {
      const world = agentWorld();
      const { context } = world;
      claim(world, "shop");
      let goOn = (): void => undefined;
      const goesOn = new Promise<void>((resolve) => (goOn = resolve));
      if (isAtOnce) goOn();
      let pushing: Promise<void> | undefined;
      at(world, () => {
        pushing ??= push(world, goesOn);
      });

      await reconcile(context, false);
      goOn();
      expect(pushing).toBeDefined();
      await pushing;

      expect(context.store.instances.get("shop--demo")?.live).toBeTruthy();
      expect(context.store.previews.of("demo", "shop")).toBeDefined();
    });
  });
});

/** The first push of a preview, up to its end; `goesOn`: when its release is proven. */
async function push(world: AgentWorld, goesOn: Promise<void>): Promise<void> {
  const { context, repository } = world;
  await context.locks.take("shop--demo", gone, () => undefined);
  claim(world, "shop");
  await goesOn;
  place(world, "shop");
  repository.run(["update-ref", "refs/heads/shop", "refs/heads/main"]);
  goLive(world, "shop", new Date());
  context.locks.release(gone);
}

/** When all previews were listed so many times. */
function atList({ context: { store } }: AgentWorld, turn: number, comes: () => void): void {
  const list = store.previews.all.bind(store.previews);
  let turns = 0;
  store.previews.all = () => {
    const all = list();
    turns += 1;
    if (turns === turn) comes();
    return all;
  };
}

function atInstances({ context: { store } }: AgentWorld, comes: () => void): void {
  const list = store.instances.all.bind(store.instances);
  store.instances.all = () => {
    const all = list();
    comes();
    return all;
  };
}

/** When the reconciliation takes a lock. */
function atLock(
  { context }: AgentWorld,
  { before, behind }: { before?: () => void; behind?: () => void },
): void {
  const { locks } = context;
  const takeFree = locks.takeFree.bind(locks);
  locks.takeFree = (name, holder) => {
    if (holder === gone) return takeFree(name, holder);
    before?.();
    const isTaken = takeFree(name, holder);
    behind?.();
    return isTaken;
  };
}

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
