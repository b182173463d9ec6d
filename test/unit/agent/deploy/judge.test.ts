import { readlinkSync } from "node:fs";
import { describe, expect, it, vi } from "vitest";
import { switchDeploy } from "../../../../src/agent/deploy/deploy.ts";
import { confirmRef, judgeHolder, judgeOnDisk } from "../../../../src/agent/deploy/judge.ts";
import { prepareRemoval } from "../../../../src/agent/deploy/remove.ts";
import type { Deploy } from "../../../../src/agent/store/deploys.ts";
import { pathsOf } from "../../../../src/agent/world/context.ts";
import { gone } from "../../../support/unit-agent.ts";
import {
  begin,
  prove,
  push,
  servingWorld,
  shop,
  type ServingWorld,
} from "../../../support/unit-serving.ts";

const ref = "refs/heads/main";

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

describe("a push that is gone while its release is being proven", () => {
  it("is refused, and the next one has its turn", async () => {
    const made = await servingWorld();
    const { context, emperor } = made;
    // Not yet, it says again and again.
    emperor.app = () => 503;
    const deploy = await begin(made);
    const proving = expect(prove(made, deploy)).rejects.toMatchObject({ code: "PUSH_GONE" });
    await expect.poll(() => emperor.running).toEqual(["demo.next-1.ini"]);

    await judgeHolder(context, deploy.holder);

    await proving;
    expect(context.store.deploys.get(deploy.id)).toMatchObject({
      ...{ state: "refused", error: expect.stringContaining("carried this deploy") as string },
    });
    expect(emperor.running).toEqual([]);
    expect(context.locks.isHeld("demo")).toBe(false);
  });
});

describe("git's word that it has moved a ref", () => {
  it("changes nothing where the deploy was not switched", async () => {
    const made = await servingWorld();
    const { context } = made;
    const deploy = await begin(made);
    await prove(made, deploy);

    await confirmRef(context, deploy, (line) => made.said.push(line));

    expect(made.said.at(-1)).not.toContain("live");
    expect(context.store.deploys.get(deploy.id)).toMatchObject({ state: "proven" });
  });

  it("is heard once, and changes nothing when it comes again", async () => {
    const made = await servingWorld();
    const deploy = await push(made);
    const before = [...made.said];

    await confirmRef(made.context, deploy, (line) => made.said.push(line));

    expect(made.said).toEqual(before);
    expect(made.context.store.deploys.get(deploy.id)).toEqual(deploy);
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
