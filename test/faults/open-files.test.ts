import { setTimeout as sleep } from "node:timers/promises";
import { beforeAll, describe, expect, it } from "vitest";
import { plainApp } from "../support/apps.ts";
import { limit, limitOf, openFilesOf } from "../support/shortage.ts";
import { withApp, withServer } from "../support/with-server.ts";
import { isLong } from "./stage.ts";

const halves = ["front", "agent"] as const;
/** Milliseconds, each time anew. */
const upTo = (most: number): number => Math.random() * most;

describe.runIf(isLong)("files that run out at any moment, whatever is done", () => {
  const server = withServer();
  const demo = withApp(server, "demo", plainApp("one"));
  beforeAll(() => server.settled("demo"));

  /** The soft limit of either half goes down for a moment, again and again. */
  async function starve(pids: number[], until: () => boolean): Promise<void> {
    while (!until()) {
      await sleep(upTo(1000));
      const pid = pids[Math.floor(upTo(pids.length))] ?? 0;
      const before = limitOf(pid, "nofile");
      const few = Math.random() < 0.4 ? 0 : openFilesOf(pid) + Math.floor(upTo(12));
      limit(pid, "nofile", few);
      await sleep(upTo(900));
      limit(pid, "nofile", before);
    }
  }

  it("end neither half", async () => {
    const pids = halves.map((half) => server.servicePid(half));
    const end = Date.now() + 120_000;
    // It fails where there is no such process any more.
    const starving = starve(pids, () => Date.now() > end).catch(() => undefined);
    const asked = [
      (turn: number) => demo.deploy(plainApp(`next ${turn}`), "Next"),
      (turn: number) =>
        demo.deploy({ "requirements.txt": `six==1.${15 + (turn % 2)}.0\n` }, "Other packages"),
      () => demo.push("deploy", "HEAD:refs/heads/feature"),
      () => demo.push("deploy", ":feature"),
      () => demo.git("fetch", "deploy"),
      (turn: number) => server.reeve("create", `app${turn % 5}`),
      (turn: number) => server.reeve("destroy", `app${turn % 5}`, "--yes"),
      ...["rollback", "redeploy", "rebuild", "logs", "deploys", "releases"].map(
        (verb) => () => server.reeve(verb, "demo"),
      ),
      () => server.reeve("reconcile"),
    ];
    for (let turn = 0; Date.now() < end; turn += 1)
      await asked[Math.floor(upTo(asked.length))]?.(turn).catch(() => undefined);
    await starving;

    // What Node prints of what ended one.
    const said = halves.map((half) => server.read("log", `${half}.log`));
    for (const words of said) expect(/^node:[^]*?^Node\.js v/m.exec(words)?.[0]).toBeUndefined();
    expect(halves.map((half) => server.servicePid(half))).toEqual(pids);
    const last = await demo.deploy(plainApp("at last"), "At last");
    expect(last.exitCode, last.output).toBe(0);
    expect((await server.get("demo")).body).toBe("at last");
  });
});
