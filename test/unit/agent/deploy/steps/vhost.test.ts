import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { refuseDeploy } from "../../../../../src/agent/deploy/cancel.ts";
import { vhostStep } from "../../../../../src/agent/deploy/steps/vhost.ts";
import { UserError } from "../../../../../src/errors.ts";
import {
  begin,
  prove,
  push,
  servingWorld,
  setOptions,
  shop,
} from "../../../../support/unit-serving.ts";

describe("an app that gets another place by a deploy", () => {
  it("has its former one back where the deploy is refused after all", async () => {
    const made = await servingWorld();
    const { context, layout, said } = made;
    await push(made);
    const block = () => readFileSync(join(layout.sitesAvailable, "demo.conf"), "utf8");
    const host = () => context.store.instances.get("demo")?.place.host;
    setOptions(made, 'host = "shop.example"');
    const deploy = await begin(made, { files: { "new.py": "" } });
    await prove(made, deploy);
    expect(said.join("\n")).toMatch(/vhost +changed for shop\.example /);
    expect([host(), block()]).toEqual([
      "shop.example",
      expect.stringContaining("server_name shop.example;"),
    ]);

    const reason = new UserError("BRANCH_REFUSED", "the right was taken away");
    await refuseDeploy(context, deploy, { reason, say: () => undefined });

    expect([host(), block()]).toEqual([
      "demo.localhost",
      expect.stringContaining("server_name demo.localhost;"),
    ]);
    expect(block()).not.toContain("shop.example");
  });
});

describe("the place of an app that was never on the air", () => {
  it("is free again, however often that is taken back", async () => {
    const made = await servingWorld();
    const { context, layout } = made;
    const deploy = await begin(made);
    await prove(made, deploy);
    expect(existsSync(join(layout.sitesAvailable, "demo.conf"))).toBe(true);

    for (let turn = 0; turn < 2; turn += 1) await vhostStep.undo(context, deploy);

    expect(existsSync(join(layout.sitesAvailable, "demo.conf"))).toBe(false);
    expect(context.store.instances.get("demo")).toBeUndefined();
  });
});

describe("what is said of a preview's place", () => {
  it.each([
    ["preview_ports = '48213-48213'", "localhost:48213"],
    ["preview_host = 'previews.example'", "previews.example/shop/"],
  ])("tells it from others: %s", async (options, place) => {
    const made = await servingWorld(options);

    const deploy = await push(made, shop);

    expect(made.said.join("\n")).toMatch(new RegExp(`vhost +made for ${place} `));
    expect(deploy).toMatchObject({ state: "live" });
  });
});
