import { mkdirSync, readdirSync, rmSync, utimesSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { setOptions } from "../../../../src/agent/verbs/apps.ts";
import { optionsOf } from "../../../../src/agent/world/context.ts";
import { prepareRemoval } from "../../../../src/agent/deploy/remove.ts";
import { HolderLocks } from "../../../../src/agent/world/locks.ts";
import { expectPreview } from "../../../../src/agent/instance/previews.ts";
import { removePreview, sweepPreviews } from "../../../../src/agent/reconcile/sweep.ts";
import type { Command } from "../../../../src/system/system.ts";
import type { Holder } from "../../../../src/names/deploy.ts";
import { UnprivilegedSystem } from "../../../support/unit-identity.ts";
import {
  agentWorld,
  goLive,
  gone,
  previewOf,
  type AgentWorld,
} from "../../../support/unit-agent.ts";

const longAgo = new Date(Date.now() - 30 * 24 * 3600 * 1000);

/** Tells of each lock that is asked for. */
class WatchedLocks extends HolderLocks {
  readonly #onTake: (name: string) => void;

  constructor(onTake: (name: string) => void) {
    super();
    this.#onTake = onTake;
  }

  override takeFree(name: string, holder: Holder): boolean {
    this.#onTake(name);
    return super.takeFree(name, holder);
  }
}

const states = ({ context }: AgentWorld): string[] =>
  context.store.deploys.list("demo", 10).map(({ reason, state }) => `${reason} ${state}`);

const branches = ({ repository }: AgentWorld): string[] =>
  repository.run(["for-each-ref", "--format=%(refname:short)", "refs/heads"]).trim().split("\n");

describe("a preview whose time is over", () => {
  it("goes with its branch, and the record says so", async () => {
    const world = agentWorld();
    previewOf(world, "shop", longAgo);

    await sweepPreviews(world.context);

    expect(states(world)).toEqual(["removal removed", "push live"]);
    expect(branches(world)).toEqual(["main"]);
    expect(world.context.store.previews.all()).toEqual([]);
  });

  it("takes along what is left of all its processes, and nothing of others'", async () => {
    const world = agentWorld();
    previewOf(world, "shop", longAgo);
    const { vassals, appLogs } = world.layout;
    const left = ["rel-1.ini", "worker.1.rel-1.ini", "worker.2.ini"];
    const kept = ["wish--demo.worker.1.ini", "demo.worker.1.ini"];
    for (const name of [...left.map((end) => `shop--demo.${end}`), ...kept])
      writeFileSync(join(vassals, name), "");
    for (const name of ["shop--demo.log", "shop--demo.worker.1.log", "demo.log"])
      writeFileSync(join(appLogs, name), "");
    utimesSync(join(appLogs, "shop--demo.log"), longAgo, longAgo);

    await sweepPreviews(world.context);

    expect(readdirSync(vassals).toSorted()).toEqual(kept.toSorted());
    expect(readdirSync(appLogs)).toEqual(["demo.log"]);
  });

  it("does not keep those that come after it, where it cannot go", async () => {
    const world = agentWorld();
    previewOf(world, "shop", longAgo);
    previewOf(world, "stuck", longAgo);
    previewOf(world, "wish", longAgo);
    writeFileSync(join(world.repository.folder, "refs/heads/stuck.lock"), "");

    await sweepPreviews(world.context);

    expect(branches(world)).toEqual(["main", "stuck"]);
  });

  it.each<[string, (world: AgentWorld) => void]>([
    [
      "has taken its turn before the sweeper does",
      ({ context }) => expect(context.locks.takeFree("shop--demo", gone)).toBe(true),
    ],
    [
      "began and ended since the sweeper looked",
      (world) => {
        expect(world.context.locks.takeFree("shop--demo", gone)).toBe(true);
        goLive(world, "shop", new Date());
        world.context.locks.release(gone);
      },
    ],
  ])("stays where a push of it %s", async (_, push) => {
    const world = agentWorld();
    previewOf(world, "shop", longAgo);
    let pushes = 0;
    world.context.locks = new WatchedLocks(() => {
      pushes += 1;
      if (pushes === 1) push(world);
    });

    await sweepPreviews(world.context);

    expect(pushes).toBeGreaterThan(0);
    expect(branches(world)).toContain("shop");
  });

  it("stays where somebody looked at it while another one was removed", async () => {
    const world = agentWorld();
    const { context, layout } = world;
    previewOf(world, "one", longAgo);
    previewOf(world, "two", longAgo);
    context.locks = new WatchedLocks(
      (name) =>
        name === "one--demo" && writeFileSync(join(layout.appLogs, "two--demo.log"), "GET /"),
    );

    await sweepPreviews(context);

    expect(branches(world)).toEqual(["main", "two"]);
  });
});

describe("an environment that a refused push had built, and no preview needs", () => {
  it("waits a day for the next push, and goes", async () => {
    const { context, layout } = agentWorld();
    const folder = join(layout.srv, "demo/preview-envs");
    for (const [hash, age] of [
      ["0123456789abcdef", 23],
      ["fedcba9876543210", 25],
    ] as const) {
      mkdirSync(join(folder, hash), { recursive: true });
      const built = Date.now() / 1000 - age * 3600;
      utimesSync(join(folder, hash), built, built);
    }

    await sweepPreviews(context);

    expect(readdirSync(folder)).toEqual(["0123456789abcdef"]);
  });
});

describe("a removal that git does not carry out", () => {
  it("is on record as refused at once, and the next one goes through", async () => {
    const world = agentWorld();
    const { context, repository } = world;
    previewOf(world, "shop", new Date());
    const lock = join(repository.folder, "refs/heads/shop.lock");
    writeFileSync(lock, "");
    const remove = (): Promise<string[]> =>
      removePreview(context, expectPreview(context, "demo", "shop"), {
        ...{ account: "ada", why: "removed by command", keepsBranch: false, holder: gone },
      });

    await expect(remove()).rejects.toMatchObject({ code: "REF_MOVED" });

    expect(states(world)).toEqual(["removal refused", "push live"]);
    expect(context.locks.isHeld("shop--demo")).toBe(false);
    rmSync(lock);
    await remove();
    expect(states(world)).toEqual(["removal removed", "removal refused", "push live"]);
    expect(branches(world)).toEqual(["main"]);
  });

  it("where the branch is gone already there is nothing for git to do", async () => {
    const world = agentWorld();
    const { context, repository } = world;
    previewOf(world, "shop", new Date());
    repository.run(["update-ref", "-d", "refs/heads/shop"]);

    await removePreview(context, expectPreview(context, "demo", "shop"), {
      ...{ account: "ada", why: "removed by command", keepsBranch: false, holder: gone },
    });

    expect(states(world)).toEqual(["removal removed", "push live"]);
  });
});

/** Does something while whoever asked for a command waits for it. */
class HeldSystem extends UnprivilegedSystem {
  readonly #meanwhile: () => Promise<unknown>;

  constructor(meanwhile: () => Promise<unknown>) {
    super();
    this.#meanwhile = meanwhile;
  }

  override async run(command: Command): Promise<string> {
    await this.#meanwhile();
    return super.run(command);
  }
}

describe("a branch that becomes production while its preview is removed", () => {
  const removals: [string, (world: AgentWorld) => Promise<unknown>][] = [
    [
      "by command",
      ({ context }) =>
        removePreview(context, expectPreview(context, "demo", "shop"), {
          ...{ account: "ada", why: "removed by command", keepsBranch: false, holder: gone },
        }),
    ],
    ["by age", ({ context }) => sweepPreviews(context)],
    [
      "by a push",
      async ({ context, repository }) => {
        const oldCommit = repository.run(["rev-parse", "refs/heads/shop"]).trim();
        const removal = { app: "demo", ref: "refs/heads/shop", oldCommit, account: "ada" };
        await prepareRemoval(context, { ...removal, holder: gone }, () => undefined);
        repository.run(["update-ref", "-d", "refs/heads/shop"]);
      },
    ],
  ];

  it.each(removals)("%s is not deleted, and what goes does not become it", async (_, remove) => {
    const found: string[] = [];
    for (const held of ["lock", "git"]) {
      const world = agentWorld();
      previewOf(world, "shop", longAgo);
      const change = (): Promise<unknown> =>
        setOptions(world.context, "demo", { production_branch: "shop" }).catch(() => undefined);
      const means =
        held === "git"
          ? { system: new HeldSystem(change) }
          : { locks: new WatchedLocks(() => void change()) };
      Object.assign(world.context, means);

      await remove(world).catch(() => undefined);

      const { production_branch: production } = await optionsOf(world.context, "demo");
      found.push(
        `${production}, and shop is ${branches(world).includes("shop") ? "there" : "gone"}`,
      );
    }
    expect(found).toEqual(["shop, and shop is there", "main, and shop is gone"]);
  });

  it("before that stays, and somebody who asks is told why", async () => {
    const world = agentWorld();
    previewOf(world, "shop", new Date());
    await setOptions(world.context, "demo", { production_branch: "shop" });

    await expect(removals[0]?.[1](world)).rejects.toMatchObject({ code: "PRODUCTION_DELETE" });

    expect(branches(world)).toContain("shop");
  });
});
