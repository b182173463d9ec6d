import { existsSync } from "node:fs";
import { describe, expect, it, vi } from "vitest";
import { cancelDeploy, refuseDeploy } from "../../../../src/agent/deploy/cancel.ts";
import { prepareRemoval } from "../../../../src/agent/deploy/remove.ts";
import { pathsOf } from "../../../../src/agent/world/context.ts";
import { UserError } from "../../../../src/errors.ts";
import { gone } from "../../../support/unit-agent.ts";
import { begin, prove, push, servingWorld, shop } from "../../../support/unit-serving.ts";

const reason = new UserError("BRANCH_REFUSED", "the right was taken away");

describe("a deploy that somebody cancels while its app comes up", () => {
  it("is refused as if it had failed, and leaves nothing", async () => {
    const made = await servingWorld();
    const { context, emperor } = made;
    // Not yet, it says again and again.
    emperor.app = () => 503;
    const { id } = await begin(made, shop);
    const proving = expect(prove(made, context.store.deploys.get(id)!)).rejects.toMatchObject({
      code: "DEPLOY_CANCELLED",
      message: "bob cancelled this deploy",
    });
    await expect.poll(() => emperor.running).toEqual(["shop--demo.next-1.ini"]);

    expect(await cancelDeploy(context, "shop--demo", "bob")).toMatchObject({ id });

    await proving;
    expect(context.store.deploys.get(id)).toMatchObject({ state: "refused" });
    expect(emperor.running).toEqual([]);
    expect(existsSync(pathsOf(context, "shop--demo").folder)).toBe(false);
    await expect(cancelDeploy(context, "shop--demo", "bob")).rejects.toMatchObject({
      code: "DEPLOY_UNKNOWN",
    });
  });
});

describe("a removal that the front refuses", () => {
  it("leaves the preview as it is", async () => {
    const made = await servingWorld();
    const { context, said } = made;
    const live = await push(made, shop);
    const request = {
      ...{ app: "demo", ref: shop.ref, oldCommit: live.newCommit },
      ...{ account: "ada", holder: gone },
    };
    const removal = (await prepareRemoval(context, request, () => undefined))!;

    const say = (line: string) => said.push(line);
    expect(await refuseDeploy(context, removal, { reason, say })).toBe(true);

    expect(said.at(-1)).toContain("refused; still on the air: shop--demo: ");
    expect(context.store.deploys.get(removal.id)).toMatchObject({ state: "refused" });
    expect(context.store.instances.get("shop--demo")).toMatchObject({ live: live.id });
    expect(made.emperor.running).toEqual(["shop--demo.rel-1.ini"]);
  });
});

describe("a deploy whose end cannot be written down", () => {
  it("is none that was refused: why is told, and it is there to be judged", async () => {
    const made = await servingWorld();
    const { context } = made;
    const deploy = await begin(made);
    await prove(made, deploy);
    const full = new Error("the disk is full");
    vi.spyOn(context.store.deploys, "change").mockImplementationOnce(() => {
      throw full;
    });

    const refused = refuseDeploy(context, deploy, { reason, say: () => undefined });

    await expect(refused).rejects.toBe(full);
    expect(context.store.deploys.unfinished()).toMatchObject([{ id: deploy.id }]);
  });
});
