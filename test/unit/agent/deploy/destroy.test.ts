import { existsSync, readdirSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { destroyApp, holdApp } from "../../../../src/agent/deploy/destroy.ts";
import { pathsOf } from "../../../../src/agent/world/context.ts";
import { gone } from "../../../support/unit-agent.ts";
import { push, servingWorld } from "../../../support/unit-serving.ts";

describe("an app that is destroyed", () => {
  it("is off the air with its previews, and leaves nothing but its repository", async () => {
    const made = await servingWorld();
    const { context, layout, emperor, repository } = made;
    await push(made);
    await push(made, { ref: "refs/heads/shop" });

    await holdApp(context, "demo", { holder: gone, say: () => undefined });
    await destroyApp(context, "demo", gone);

    expect(emperor.running).toEqual([]);
    for (const folder of [layout.srv, layout.apps, layout.sitesAvailable, layout.links])
      expect(readdirSync(folder)).toEqual([]);
    expect(context.store.apps.has("demo")).toBe(false);
    expect(context.store.previews.all()).toEqual([]);
    expect(existsSync(repository.folder)).toBe(true);
    expect(context.locks.isHeld("demo")).toBe(false);
  });

  it("is still there, and its lock is free, where something cannot be removed", async () => {
    const made = await servingWorld();
    const { context } = made;
    await push(made);
    const { system } = context;
    const failing = { isRoot: false, run: () => Promise.reject(new Error("no room")) };
    context.system = failing;

    await expect(destroyApp(context, "demo", gone)).rejects.toThrow("no room");
    expect(context.store.apps.isDestroyed("demo")).toBe(true);
    expect(context.locks.isHeld("demo")).toBe(false);

    // Done again, it removes the rest.
    context.system = system;
    await destroyApp(context, "demo", gone);
    expect(existsSync(pathsOf(context, "demo").folder)).toBe(false);
  });
});
