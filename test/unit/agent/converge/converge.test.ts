import { existsSync, mkdirSync, readFileSync, readlinkSync, rmSync, writeFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { socketBehind } from "../../../../src/names/instance.ts";
import { understudyOf, vassalOf, type Vassal } from "../../../../src/names/vassal.ts";
import { pathsOf } from "../../../../src/agent/world/context.ts";
import { converge, type Attempt } from "../../../../src/agent/converge/converge.ts";
import { startSettling } from "../../../../src/agent/converge/settle.ts";
import { settledVassal } from "../../../../src/agent/instance/vassals.ts";
import { agentWorld, previewOf } from "../../../support/unit-agent.ts";

const name = "shop--demo";

/** A preview that is live, and whose link leads to its understudy; no Emperor runs. */
async function world() {
  const made = agentWorld();
  const { context, layout } = made;
  Object.assign(context, { listen: 100 });
  const deploy = previewOf(made, "shop", new Date());
  const understudy = understudyOf(layout, name, deploy.number);
  const former = vassalOf(layout, { instance: name, role: "on demand", deploy: 99 });
  for (const { ini, socket } of [understudy, former])
    for (const path of [ini, socket]) writeFileSync(path, "");
  const { folder, own, link } = pathsOf(context, name);
  for (const path of [folder, own]) mkdirSync(path, { recursive: true });
  await context.links.point(link, understudy.socket);
  const row = () => context.store.instances.get(name)!;
  const isLeft = ({ ini, socket }: Vassal): boolean => existsSync(ini) || existsSync(socket);
  return {
    ...{ context, deploy, row, understudy, former, isLeft },
    forGood: settledVassal(context, deploy),
    leads: () => readlinkSync(socketBehind(link)),
  };
}

const onDisk = (): Attempt => ({ onDisk: true, goOn: () => undefined });

describe("an instance whose Emperor does not run", () => {
  it("is on disk what is live of it, and nothing else", async () => {
    const { context, deploy, row, forGood, understudy, former, isLeft, leads } = await world();
    context.store.instances.change(name, { settled: null, degraded: "it did not start" });
    const done: string[] = [];

    const next = await converge(context, { row: row(), deploy }, onDisk(), (step) =>
      done.push(step.do),
    );

    expect(next).toEqual({ do: "rest" });
    expect(done).toEqual(["point", "retire", "write"]);
    expect(leads()).toBe(forGood.socket);
    expect([understudy, former].filter(isLeft)).toEqual([]);
    expect(readFileSync(forGood.ini, "utf8")).toContain(deploy.newCommit);
    expect(row()).toMatchObject({ settled: deploy.id, degraded: null });
  });

  it("is looked at once more, and rests", async () => {
    const { context, deploy, row } = await world();
    await converge(context, { row: row(), deploy }, onDisk());
    const done: string[] = [];

    const next = await converge(context, { row: row(), deploy }, onDisk(), (step) =>
      done.push(step.do),
    );

    expect([next, done]).toEqual([{ do: "rest" }, []]);
  });

  it("goes on with what is left where a vassal cannot be ended", async () => {
    const { context, deploy, row, former } = await world();
    rmSync(former.socket);
    mkdirSync(former.socket);

    const next = await converge(context, { row: row(), deploy }, onDisk());

    expect(next).toEqual({ do: "rest" });
    expect(context.background.retiring(name)).toContain(former.ini);
  });
});

describe("settling", () => {
  it("leaves the traffic to the understudy where no Emperor runs, and says why", async () => {
    const { context, deploy, row, understudy, isLeft, leads } = await world();
    context.store.instances.change(name, { settled: null });

    startSettling(context, name, deploy.id);
    await context.background.rested(name);

    expect(leads()).toBe(understudy.socket);
    expect(isLeft(understudy)).toBe(true);
    expect(row()).toMatchObject({ settled: null, degraded: null });
    expect(context.store.deploys.get(deploy.id)?.note).toMatch(/^uWSGI's Emperor is not running/);
    context.background.supersede(name);
  });

  it("is given up for a while where it fails: the understudy goes on", async () => {
    const { context, deploy, row, understudy, isLeft, leads } = await world();
    context.store.instances.change(name, { settled: null });
    rmSync(pathsOf(context, name).folder, { recursive: true });

    startSettling(context, name, deploy.id);
    await context.background.rested(name);

    expect(leads()).toBe(understudy.socket);
    expect(isLeft(understudy)).toBe(true);
    expect(row().settled).toBeNull();
    expect(row().degraded).toMatch(/^ENOENT/);
    expect(context.store.deploys.get(deploy.id)?.note).toMatch(/^degraded: ENOENT/);
    context.background.supersede(name);
  });

  it("is left to the newer deploy that has come", async () => {
    const { context, deploy, row } = await world();
    context.store.instances.change(name, { settled: null });

    startSettling(context, name, deploy.id);
    context.background.supersede(name);
    await context.background.rested(name);

    expect(context.store.deploys.get(deploy.id)?.note).toBe("superseded");
    expect(row().settled).toBeNull();
  });
});
