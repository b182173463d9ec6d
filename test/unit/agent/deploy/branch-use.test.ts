import { describe, expect, it } from "vitest";
import { expectBranchStays } from "../../../../src/agent/deploy/branch-use.ts";
import { switchDeploy } from "../../../../src/agent/deploy/deploy.ts";
import { prepareRemoval } from "../../../../src/agent/deploy/remove.ts";
import {
  begin,
  other,
  prove,
  push,
  servingWorld,
  setOptions,
  shop,
} from "../../../support/unit-serving.ts";

const isProduction = 'production_branch = "shop"';

describe("a preview's branch that has become production", () => {
  it("takes no push whose right was judged for a preview", async () => {
    const made = await servingWorld(isProduction);

    const refused = begin(made, shop);

    await expect(refused).rejects.toMatchObject({
      code: "BRANCH_REFUSED",
      message: "the production branch of demo was changed while this push was on its way",
    });
    expect(made.context.store.previews.all()).toEqual([]);
    expect(made.context.store.deploys.list("demo", 1)).toEqual([]);
  });

  it("refuses the push that was being prepared, and leaves nothing of it", async () => {
    const made = await servingWorld();
    const deploy = await begin(made, shop);
    setOptions(made, isProduction);

    await expect(prove(made, deploy)).rejects.toMatchObject({ code: "BRANCH_REFUSED" });

    expect(made.context.store.previews.all()).toEqual([]);
    expect(made.emperor.running).toEqual([]);
  });

  it("is not switched to what was proven as a preview", async () => {
    const made = await servingWorld();
    const { store } = made.context;
    const { id } = await begin(made, shop);
    await prove(made, store.deploys.get(id)!);
    setOptions(made, isProduction);

    await expect(switchDeploy(made.context, id)).rejects.toMatchObject({ code: "BRANCH_REFUSED" });

    expect(store.deploys.get(id)).toMatchObject({ state: "proven" });
  });

  it("is not deleted, and nothing of the removal is written down", async () => {
    const made = await servingWorld();
    const { context } = made;
    const { newCommit: oldCommit } = await push(made, shop);
    setOptions(made, isProduction);

    const request = { app: "demo", ref: shop.ref, oldCommit, account: "ada", holder: other };
    const refused = prepareRemoval(context, request, () => undefined);

    await expect(refused).rejects.toMatchObject({ code: "PRODUCTION_DELETE" });
    expect(context.store.deploys.unfinished()).toEqual([]);
    expect(context.store.instances.get("shop--demo")).toBeDefined();
  });
});

describe("a branch that is about to go", () => {
  it("cannot become production, and others can", async () => {
    const made = await servingWorld();
    const { context } = made;
    const { newCommit: oldCommit } = await push(made, shop);
    const expectStays = (branch: string) => () => expectBranchStays(context, "demo", branch);
    expectStays("shop")();

    const request = { app: "demo", ref: shop.ref, oldCommit, account: "ada", holder: other };
    await prepareRemoval(context, request, () => undefined);

    expect(expectStays("shop")).toThrow("shop of demo is being removed");
    expectStays("blog")();
  });
});
