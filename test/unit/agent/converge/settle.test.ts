import { mkdirSync, readlinkSync, rmSync, writeFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { converge } from "../../../../src/agent/converge/converge.ts";
import { startSettling } from "../../../../src/agent/converge/settle.ts";
import { socketBehind } from "../../../../src/names/instance.ts";
import { permanentOf } from "../../../../src/agent/instance/vassals.ts";
import { pathsOf } from "../../../../src/agent/world/context.ts";
import { push, pushDegraded, servingWorld } from "../../../support/unit-serving.ts";

describe("a vassal that does not come up behind its understudy", () => {
  it("is held, the app is degraded, and the understudy goes on", async () => {
    const made = await servingWorld();
    const { context, emperor } = made;
    const deploy = await pushDegraded(made);

    expect(emperor.running).toEqual(["demo.next-1.ini"]);
    expect(readlinkSync(socketBehind(pathsOf(context, "demo").link))).toMatch(/\.next-1\.sock$/);
    const why = "the vassal came up and is not well: GET / answered 500";
    expect(context.store.instances.get("demo")).toMatchObject({ settled: null, degraded: why });
    expect(context.store.deploys.get(deploy.id)?.note).toBe(`degraded: ${why}`);

    // It is tried again, and it comes up by now.
    startSettling(context, "demo", deploy.id);
    await context.background.idle("demo");

    expect(emperor.running).toEqual(["demo.ini"]);
    expect(context.store.instances.get("demo")).toMatchObject({
      ...{ settled: deploy.id, degraded: null },
    });
  });
});

describe("settling", () => {
  it("begins with what is on disk, and rests where all is as it should be", async () => {
    const made = await servingWorld();
    const { context, emperor } = made;
    const deploy = await push(made);
    const [before] = emperor.vassals;

    startSettling(context, "demo", deploy.id, "settled");
    await context.background.idle("demo");

    expect(emperor.vassals).toEqual([before]);
  });

  it("has nothing to do for an instance that is gone", async () => {
    const made = await servingWorld();
    const deploy = await push(made);
    made.context.store.instances.putBack("demo", undefined);

    startSettling(made.context, "demo", deploy.id);
    await made.context.background.idle("demo");

    expect(made.context.store.deploys.get(deploy.id)?.note).toBe("settled");
  });

  it("is no degraded app where it has settled, and its link cannot be led back", async () => {
    const made = await servingWorld();
    const { context } = made;
    const deploy = await push(made);
    const { link } = pathsOf(context, "demo");
    rmSync(link);
    mkdirSync(link);
    writeFileSync(`${link}/x`, "");

    startSettling(context, "demo", deploy.id, "settled");
    await context.background.rested("demo");

    expect(context.store.deploys.get(deploy.id)?.note).toBe("settled");
    expect(context.store.instances.get("demo")).toMatchObject({ degraded: null });
    context.background.supersede("demo");
  });
});

describe("a vassal of which somebody removed a part", () => {
  it.each(["app", "env", "ini"] as const)("takes a deploy to be brought back: %s", async (what) => {
    const made = await servingWorld();
    const { context } = made;
    const deploy = await push(made);
    const row = context.store.instances.get("demo")!;
    const { app, env } = pathsOf(context, "demo");
    rmSync({ app, env, ini: permanentOf(context, "demo").ini }[what]);

    const left = await converge(context, { row, deploy }, { onDisk: false, goOn: () => undefined });

    expect(left).toEqual({ do: "deploy", because: "vassal" });
  });
});
