import { readdirSync, readlinkSync } from "node:fs";
import { basename } from "node:path";
import { describe, expect, it, vi } from "vitest";
import { switchDeploy } from "../../../../src/agent/deploy/deploy.ts";
import { judgeHolder } from "../../../../src/agent/deploy/judge.ts";
import type { Deploy } from "../../../../src/agent/store/deploys.ts";
import { socketBehind } from "../../../../src/names/instance.ts";
import { pathsOf } from "../../../../src/agent/world/context.ts";
import {
  begin,
  prove,
  push,
  pushDegraded,
  servingWorld,
  setOptions,
  type ServingWorld,
} from "../../../support/unit-serving.ts";

/** A push that has the traffic, and whose ref has not moved. */
async function switched(made: ServingWorld, name: string): Promise<Deploy> {
  const { context } = made;
  const { id } = await begin(made, { files: { [name]: "" } });
  await prove(made, context.store.deploys.get(id)!);
  await switchDeploy(context, id);
  return context.store.deploys.get(id)!;
}

const leads = ({ context }: ServingWorld): string =>
  readlinkSync(socketBehind(pathsOf(context, "demo").link));

describe("a switched deploy that is taken back", () => {
  it("gives the traffic back to an understudy whose deploy has not settled, which then does", async () => {
    const made = await servingWorld();
    const { context, emperor } = made;
    await push(made);
    const live = await pushDegraded(made, { files: { "new.py": "" } });
    const deploy = await switched(made, "newer.py");
    expect(leads(made)).toMatch(/\.next-3\.sock$/);
    const pointed = vi.spyOn(context.links, "point");

    await judgeHolder(context, deploy.holder);
    await context.background.idle("demo");

    expect(pointed.mock.calls.map(([, socket]) => basename(socket))).toEqual([
      ...["demo.next-2.sock", "demo.sock"],
    ]);
    expect(context.store.instances.get("demo")).toMatchObject({ live: live.id, settled: live.id });
    expect(context.store.deploys.get(deploy.id)).toMatchObject({ state: "refused" });
    expect(emperor.running).toEqual(["demo.ini"]);
  });

  it("is refused, and the traffic is where it was, also where its requests cannot be waited for", async () => {
    const made = await servingWorld();
    const { context, emperor } = made;
    const live = await push(made);
    const deploy = await switched(made, "new.py");
    const logged = vi.spyOn(context.log, "error");
    // How long they may take stands in the options.
    setOptions(made, "grace = never");

    await judgeHolder(context, deploy.holder);

    expect(logged.mock.calls.map(([, words]) => words)).toContain("requests were cut");
    expect(leads(made)).toMatch(/\/demo\.sock$/);
    expect(emperor.running).toEqual(["demo.ini"]);
    expect(readdirSync(pathsOf(context, "demo").releases)).toEqual([live.newCommit]);
    expect(context.store.deploys.get(deploy.id)).toMatchObject({ state: "refused" });
  });

  it("has the former release started again where the app cannot run beside itself", async () => {
    const made = await servingWorld("overlap = false");
    const { context, emperor } = made;
    const live = await push(made);
    const deploy = await switched(made, "new.py");
    const { app } = pathsOf(context, "demo");
    expect(readlinkSync(app)).toBe(`releases/${deploy.newCommit}`);

    await judgeHolder(context, deploy.holder);

    expect(readlinkSync(app)).toBe(`releases/${live.newCommit}`);
    expect(leads(made)).toMatch(/\/demo\.sock$/);
    expect(emperor.running).toEqual(["demo.ini"]);
    expect(context.store.instances.get("demo")).toMatchObject({ live: live.id, settled: live.id });
  });
});
