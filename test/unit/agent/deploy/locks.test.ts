import { describe, expect, it } from "vitest";
import type { Holder } from "../../../../src/names/deploy.ts";
import { begin, push, servingWorld } from "../../../support/unit-serving.ts";

const other: Holder = { pid: process.pid, startTime: 1, turn: 7 };

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
});

describe("an app that is being removed", () => {
  it("takes no push, nor one of a preview, whose name goes to nobody", async () => {
    const made = await servingWorld();
    const { context } = made;
    await push(made);
    context.store.apps.markDestroyed("demo");

    for (const what of [{}, { ref: "refs/heads/shop" }])
      await expect(begin(made, what)).rejects.toMatchObject({ code: "APP_UNKNOWN" });

    expect(context.store.previews.all()).toEqual([]);
  });
});
