import { readdirSync, rmSync } from "node:fs";
import { describe, expect, it, vi } from "vitest";
import { refuseDeploy } from "../../../../src/agent/deploy/cancel.ts";
import { pathsOf } from "../../../../src/agent/world/context.ts";
import { UserError } from "../../../../src/errors.ts";
import {
  begin,
  prove,
  push,
  servingWorld,
  setOptions,
  shop,
} from "../../../support/unit-serving.ts";

describe("a deploy that fails", () => {
  it("says what of a preview is still on the air, by the preview's name", async () => {
    const made = await servingWorld();
    const former = await push(made, shop);
    made.emperor.app = () => 500;

    const refused = push(made, { ...shop, files: { "new.py": "" } });

    await expect(refused).rejects.toMatchObject({ code: "APP_UNHEALTHY" });
    expect(made.said.at(-1)).toBe(
      `reeve: refused; still on the air: shop--demo: ${former.newCommit.slice(0, 7)} "A change"`,
    );
    expect(made.context.store.previews.of("demo", "shop")).toMatchObject({
      instance: "shop--demo",
    });
  });

  it("is written to the agent's log where the mistake is reeve's own", async () => {
    const made = await servingWorld();
    const { context } = made;
    const logged = vi.spyOn(context.log, "error");
    rmSync(pathsOf(context, "demo").environments, { recursive: true });

    await expect(push(made)).rejects.toMatchObject({ code: "INTERNAL", said: true });

    expect(logged.mock.lastCall?.[1]).toBe("a deploy failed by a mistake of reeve's");
    const [deploy] = context.store.deploys.list("demo", 1);
    expect(deploy).toMatchObject({
      ...{ state: "refused", error: expect.stringMatching(/^error\[INTERNAL\]: ENOENT/) as string },
    });
  });

  it("has all its other steps taken back where one of them cannot be", async () => {
    const made = await servingWorld();
    const { context, emperor } = made;
    const former = await push(made);
    const deploy = await begin(made, { files: { "new.py": "" } });
    await prove(made, deploy);
    expect(emperor.running).toEqual(["demo.ini", "demo.next-2.ini"]);
    const logged = vi.spyOn(context.log, "error");
    // The server block's undoing reads them.
    setOptions(made, "web_processes = many");

    const reason = new UserError("BRANCH_REFUSED", "the right was taken away");
    await refuseDeploy(context, deploy, { reason, say: () => undefined });

    const [[about] = [], ...more] = logged.mock.calls;
    expect(about).toMatchObject({ deploy: deploy.id, step: "vhost" });
    expect(more).toEqual([]);
    expect(emperor.running).toEqual(["demo.ini"]);
    expect(readdirSync(pathsOf(context, "demo").releases)).toEqual([former.newCommit]);
    expect(context.store.deploys.get(deploy.id)).toMatchObject({ state: "refused" });
  });
});
