import { readlinkSync } from "node:fs";
import { describe, expect, it, vi } from "vitest";
import { switchDeploy } from "../../../../src/agent/deploy/deploy.ts";
import { judgeHolder, judgeOnDisk } from "../../../../src/agent/deploy/judge.ts";
import { prepareRemoval } from "../../../../src/agent/deploy/remove.ts";
import type { Deploy } from "../../../../src/agent/store/deploys.ts";
import { pathsOf } from "../../../../src/agent/world/context.ts";
import { gone } from "../../../support/unit-agent.ts";
import {
  begin,
  prove,
  push,
  servingWorld,
  type ServingWorld,
} from "../../../support/unit-serving.ts";

const ref = "refs/heads/main";
const shop = { ref: "refs/heads/shop", preview: "shop" };

/** Two pushes, of which the second one is left when it has the traffic. */
async function leftSwitched(): Promise<ServingWorld & { deploy: Deploy; former: Deploy }> {
  const made = await servingWorld();
  const former = await push(made);
  const { id } = await begin(made, { files: { "new.py": "" } });
  await prove(made, made.context.store.deploys.get(id)!);
  await switchDeploy(made.context, id);
  return { ...made, former, deploy: made.context.store.deploys.get(id)! };
}

/** The removal of a preview's branch, left when git is about to delete it. */
async function leftRemoving(): Promise<ServingWorld & { removal: Deploy }> {
  const made = await servingWorld();
  const { newCommit: oldCommit } = await push(made, shop);
  const request = { app: "demo", ref: shop.ref, oldCommit, account: "ada", holder: gone };
  const { id } = (await prepareRemoval(made.context, request, () => undefined))!;
  await switchDeploy(made.context, id);
  return { ...made, removal: made.context.store.deploys.get(id)! };
}

describe("a deploy that was left while no Emperor runs", () => {
  it("is live where its ref has moved", async () => {
    const { context, repository, deploy } = await leftSwitched();
    repository.run(["update-ref", ref, deploy.newCommit]);

    await judgeOnDisk(context, deploy);

    expect(context.store.deploys.get(deploy.id)).toMatchObject({ state: "live" });
    expect(context.store.instances.get("demo")).toMatchObject({ live: deploy.id });
  });

  it("is refused where its ref has not moved, and what the ref names stays what is to be served", async () => {
    const { context, deploy, former } = await leftSwitched();

    await judgeOnDisk(context, deploy);

    const { state, error } = context.store.deploys.get(deploy.id)!;
    expect(state).toBe("refused");
    expect(error).toContain("the server was stopped");
    expect(readlinkSync(pathsOf(context, "demo").app)).toBe(`releases/${former.newCommit}`);
    expect(context.store.instances.get("demo")).toMatchObject({ live: former.id });
  });

  it("has removed a preview whose branch is gone", async () => {
    const { context, repository, removal } = await leftRemoving();
    repository.run(["update-ref", "-d", shop.ref]);

    await judgeOnDisk(context, removal);

    expect(context.store.deploys.get(removal.id)).toMatchObject({ state: "removed" });
    expect(context.store.instances.get("shop--demo")).toBeUndefined();
  });

  it("leaves a preview whose branch is there", async () => {
    const { context, removal } = await leftRemoving();

    await judgeOnDisk(context, removal);

    expect(context.store.deploys.get(removal.id)).toMatchObject({ state: "refused" });
    expect(context.store.instances.get("shop--demo")).toBeDefined();
  });
});

describe("a push that is gone, and cannot be judged", () => {
  it("keeps the lock of its instance, until somebody can", async () => {
    const { context, repository, deploy } = await leftSwitched();
    repository.run(["update-ref", ref, deploy.newCommit]);
    const { store } = context;
    const full = vi.spyOn(store.deploys, "change").mockImplementation(() => {
      throw new Error("the disk is full");
    });

    const judged = judgeHolder(context, deploy.holder);
    await expect(judged).rejects.toThrow("the disk is full");
    expect(context.locks.isHeld("demo")).toBe(true);

    full.mockRestore();
    await judgeHolder(context, deploy.holder);
    expect(context.locks.isHeld("demo")).toBe(false);
  });
});
