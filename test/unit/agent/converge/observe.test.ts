import { writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { basename } from "node:path";
import { onTestFinished, describe, expect, it, vi } from "vitest";
import { absentCommit } from "../../../../src/names/names.ts";
import { understudyOf, vassalOf } from "../../../../src/names/vassal.ts";
import { pathsOf } from "../../../../src/agent/world/context.ts";
import { observe } from "../../../../src/agent/converge/observe.ts";
import { settledVassal, vassalsOf } from "../../../../src/agent/instance/vassals.ts";
import { agentWorld, gone, previewOf } from "../../../support/unit-agent.ts";

const name = "shop--demo";

/** A preview whose first deploy is live, with what is said of its other vassals. */
function world() {
  const made = agentWorld();
  const { context, layout } = made;
  const deploy = previewOf(made, "shop", new Date());
  const row = context.store.instances.get(name)!;
  const forGood = settledVassal(context, deploy);
  const understudy = understudyOf(layout, name, deploy.number);
  const former = vassalOf(layout, { instance: name, role: "on demand", deploy: 99 });
  const look = () => observe(context, { row, deploy });
  return { context, layout, deploy, row, forGood, understudy, former, look };
}

/** What the Emperor's stats server would say of its vassals. */
async function emperorSays(path: string, vassals: Record<string, unknown>[]): Promise<void> {
  const rest = { last_mod: 0, ready: 1, respawns: 0, pid: 1, cursed: 0, accepting: 1 };
  const all = vassals.map((vassal) => ({ ...rest, ...vassal }));
  const server = createServer((socket) => socket.end(JSON.stringify({ vassals: all })));
  onTestFinished(() => void server.close());
  await new Promise<void>((resolve) => server.listen(path, resolve));
}

describe("what is seen of an instance", () => {
  it("is what is live, who serves it for good, and where the link points", async () => {
    const { context, deploy, forGood, look } = world();
    writeFileSync(forGood.ini, "");
    // Moved just now, however long the world took.
    await context.links.point(pathsOf(context, name).link, forGood.socket);

    expect(await look()).toEqual({
      live: { number: deploy.number, commit: deploy.newCommit },
      forGood: { ...forGood, awake: true, ending: false },
      progress: "settled",
      others: [],
      link: forGood.socket,
      drained: false,
    });
  });

  it("is a link that is gone, and an ini that is not its own any more", async () => {
    expect(await world().look()).toMatchObject({ progress: "astray", link: undefined });
  });

  it("is a deploy that has yet to settle, whatever is on disk", async () => {
    const { context, look, deploy, row, forGood } = world();
    writeFileSync(forGood.ini, "");
    context.store.instances.change(name, { settled: null });
    const unsettled = context.store.instances.get(name)!;

    expect(await observe(context, { row: unsettled, deploy })).toMatchObject({
      progress: "unsettled",
    });
    expect(await observe(context, { row, deploy }, "started")).toMatchObject({
      progress: "started",
    });
    expect(await look()).toMatchObject({ progress: "settled" });
  });

  it("is each other vassal, also one of which only a file is left", async () => {
    const { understudy, former, look } = world();
    writeFileSync(understudy.ini, "");
    writeFileSync(former.socket, "");

    const { others, progress } = await look();

    const seen = { awake: true, ending: false };
    expect(others).toHaveLength(2);
    expect(others).toEqual(
      expect.arrayContaining([
        { ...understudy, ...seen },
        { ...former, ...seen },
      ]),
    );
    expect(progress).toBe("astray");
  });

  it("is nothing of the instance's other processes: each is brought to what is live by itself", async () => {
    const { context, layout, understudy, forGood, look } = world();
    const process = "worker.1";
    const others = (["permanent", "understudy", "on demand"] as const).map((role) =>
      vassalOf(layout, { instance: name, process, role, deploy: role === "permanent" ? 0 : 99 }),
    );
    for (const { ini } of [forGood, understudy, ...others]) writeFileSync(ini, "");

    expect(await look()).toMatchObject({
      ...{ progress: "settled", forGood: { process: "web" } },
      others: [{ ini: understudy.ini }],
    });
    const all = await vassalsOf(context, name);
    expect(all).toEqual(expect.arrayContaining([understudy, ...others]));
  });

  it("is who has died, and who sleeps", async () => {
    const { layout, understudy, former, look } = world();
    for (const { ini } of [understudy, former]) writeFileSync(ini, "");
    await emperorSays(layout.emperorStats, [
      { id: basename(understudy.ini), accepting: 0 },
      { id: basename(former.ini), pid: -1 },
    ]);

    const { others, forGood } = await look();

    expect([forGood, ...others].map(({ awake }) => awake)).toEqual([false, false, false]);
  });

  it("is who answers, and who is awake", async () => {
    const { layout, understudy, former, look } = world();
    for (const { ini } of [understudy, former]) writeFileSync(ini, "");
    await emperorSays(layout.emperorStats, [
      { id: basename(understudy.ini) },
      { id: basename(former.ini), accepting: 0 },
    ]);

    const { others } = await look();

    expect(others.map(({ awake }) => awake)).toEqual([true, true]);
  });

  it("is who retires already", async () => {
    const { context, understudy, look } = world();
    writeFileSync(understudy.ini, "");
    context.background.retires(understudy, new Promise(() => undefined));

    expect(await look()).toMatchObject({ others: [{ ending: true }] });
  });

  it("is a preview as it should be, though the vassal of its former release still ends", async () => {
    const { context, forGood, former, look } = world();
    for (const { ini } of [forGood, former]) writeFileSync(ini, "");
    expect(await look()).toMatchObject({ progress: "astray" });

    context.background.retires(former, new Promise(() => undefined));

    expect(await look()).toMatchObject({ progress: "settled", others: [{ ending: true }] });
  });

  it("is no understudy of a deploy that is under way, until that is over", async () => {
    const { context, layout, deploy, look } = world();
    const { id, number } = context.store.deploys.start({
      ...{ app: "demo", instance: name, reason: "push", account: "ada", holder: gone },
      ...{ ref: deploy.ref, oldCommit: absentCommit, newCommit: "a".repeat(40) },
    });
    const understudy = understudyOf(layout, name, number);
    writeFileSync(understudy.ini, "");

    expect(await look()).toMatchObject({ others: [] });
    context.store.deploys.change(id, { state: "refused" });
    expect(await look()).toMatchObject({ others: [{ ini: understudy.ini }] });
  });

  it("is that nobody waits in a queue any more, some time after the link was moved", async () => {
    vi.useFakeTimers({ toFake: ["performance"] });
    onTestFinished(() => void vi.useRealTimers());
    const { context, forGood, look } = world();
    const { link } = pathsOf(context, name);
    const { drain } = context.config.server;
    const looks = async (): Promise<boolean[]> => {
      vi.advanceTimersByTime(drain - 1);
      const before = await look();
      vi.advanceTimersByTime(1);
      return [before.drained, (await look()).drained];
    };
    expect(await looks(), "since the agent began").toEqual([false, true]);

    await context.links.point(link, forGood.socket);

    expect(await looks()).toEqual([false, true]);
  });
});
