import { describe, expect, it } from "vitest";
import { switchDeploy } from "../../../../src/agent/deploy/deploy.ts";
import { confirmRef } from "../../../../src/agent/deploy/judge.ts";
import { prepareRemoval, removeInstance } from "../../../../src/agent/deploy/remove.ts";
import { gone } from "../../../support/unit-agent.ts";
import { other, push, servingWorld, shop } from "../../../support/unit-serving.ts";

/** A preview whose branch is about to go, with what asks for that. */
async function removing() {
  const made = await servingWorld();
  const { context, said } = made;
  const { newCommit: oldCommit } = await push(made, shop);
  const request = { app: "demo", ref: shop.ref, oldCommit, account: "ada", holder: gone };
  const { id } = (await prepareRemoval(context, request, () => undefined))!;
  const confirm = async (): Promise<void> => {
    await switchDeploy(context, id);
    made.repository.run(["update-ref", "-d", shop.ref]);
    await confirmRef(context, request, (line) => said.push(line));
  };
  return { ...made, id, request, confirm };
}

describe("the removal of a preview", () => {
  it("is none where another one was before it, and the preview is gone", async () => {
    const { context, request, confirm, said } = await removing();
    const say = (line: string) => said.push(line);
    const second = prepareRemoval(context, { ...request, holder: other }, say);
    await expect.poll(() => said.at(-1)).toMatch(/^reeve: ada is deploying shop--demo just now/);

    await confirm();
    context.locks.release(gone);

    expect(await second).toBeUndefined();
    expect(context.store.deploys.unfinished()).toEqual([]);
  });

  it("comes to its end where it was broken off before that was written down", async () => {
    const { context, id, confirm, said } = await removing();
    await removeInstance(context, { name: "shop--demo", app: "demo" });

    await confirm();

    expect(said.at(-1)).toMatch(/^ {2}removed +\d+ ms$/);
    expect(context.store.deploys.get(id)).toMatchObject({ state: "removed" });
    expect(context.store.previews.all()).toEqual([]);
  });
});
