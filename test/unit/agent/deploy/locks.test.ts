import { describe, expect, it } from "vitest";
import { judgeHolder } from "../../../../src/agent/deploy/judge.ts";
import {
  begin,
  other,
  prove,
  push,
  servingWorld,
  setOptions,
  shop,
} from "../../../support/unit-serving.ts";

describe("a push to an instance that is being deployed", () => {
  it("is told for whom it waits, and goes on when that one has ended", async () => {
    const made = await servingWorld();
    const first = await begin(made);

    const second = begin(made, { holder: other });
    await expect
      .poll(() => made.said)
      .toContain("reeve: ada is deploying demo just now; this push waits for its turn");
    made.context.locks.release(first.holder);

    expect(await second).toMatchObject({ number: first.number + 1, holder: other });
  });

  it("is refused where the branch has moved meanwhile", async () => {
    const made = await servingWorld();
    const { context, repository } = made;
    const first = await begin(made);

    const second = begin(made, { holder: other });
    await expect.poll(() => made.said.length).toBeGreaterThan(0);
    repository.run(["update-ref", first.ref, repository.commit({ "new.py": "" })]);
    context.locks.release(first.holder);

    await expect(second).rejects.toMatchObject({ code: "REF_MOVED" });
  });

  it("is refused where it was gone itself before its turn was used", async () => {
    const { context, ...made } = await servingWorld();
    let end = (): void => undefined;
    const tidying = context.background.tidy("demo", () => new Promise<void>((go) => (end = go)));

    const refused = expect(begin({ context, ...made }, { holder: other })).rejects.toMatchObject({
      code: "PUSH_GONE",
    });
    await expect.poll(() => context.locks.isHeldBy("demo", other)).toBe(true);
    await judgeHolder(context, other);
    end();

    await Promise.all([tidying, refused]);
    expect(context.store.deploys.list("demo", 1)).toEqual([]);
    expect(context.locks.isHeld("demo")).toBe(false);
  });
});

describe("the name of a preview that is not on the air yet", () => {
  it("goes to nobody where there is no room for it", async () => {
    const made = await servingWorld("preview_limit = 0");

    await expect(begin(made, shop)).rejects.toMatchObject({ code: "PREVIEW_LIMIT" });

    expect(made.context.store.previews.all()).toEqual([]);
    expect(made.context.locks.isHeld("shop--demo")).toBe(false);
  });

  it("stays with the push that has it where another one of its branch finds no room", async () => {
    const made = await servingWorld();
    const first = await begin(made, shop);
    setOptions(made, "preview_limit = 0");

    const second = begin(made, { ...shop, holder: other });

    await expect(second).rejects.toMatchObject({ code: "PREVIEW_LIMIT" });
    expect(made.context.store.previews.of("demo", "shop")).toMatchObject({
      instance: first.instance,
    });
  });

  it("is another one by its turn, where a branch that is called the same was before it", async () => {
    const made = await servingWorld();
    const { context, said } = made;
    const first = await begin(made, shop);
    const second = begin(made, { ...shop, holder: other });
    await expect.poll(() => said.at(-1)).toMatch(/^reeve: ada is deploying shop--demo just now/);
    // It comes to nothing, and its push goes on with other branches.
    made.emperor.app = () => 500;
    await expect(prove(made, first)).rejects.toMatchObject({ code: "APP_UNHEALTHY" });

    const third = begin(made, { ref: "refs/heads/Shop", holder: { ...other, turn: 8 } });
    await expect
      .poll(() => said.at(-1))
      .toMatch(/^reeve: somebody is deploying shop--demo just now/);
    context.locks.release(first.holder);

    expect((await second).instance).toMatch(/^shop-[0-9a-f]{8}--demo$/);
    context.locks.release(other);
    expect(await third).toMatchObject({ instance: "shop--demo", ref: "refs/heads/Shop" });
  });
});

describe("an app that is being removed", () => {
  it("takes no push, nor one of a preview, whose name goes to nobody", async () => {
    const made = await servingWorld();
    const { context } = made;
    await push(made);
    context.store.apps.markDestroyed("demo");

    for (const what of [{}, shop])
      await expect(begin(made, what)).rejects.toMatchObject({ code: "APP_UNKNOWN" });

    expect(context.store.previews.all()).toEqual([]);
  });
});
