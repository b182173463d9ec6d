import { execFileSync } from "node:child_process";
import { readdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { plainApp } from "../support/apps.ts";
import { eventually, TestServer } from "../support/server.ts";
import type { Workspace } from "../support/workspace.ts";

describe("a front that the system gives no more", () => {
  let server: TestServer;
  let demo: Workspace;
  let front: number;
  let agent: number;

  beforeAll(async () => {
    server = await TestServer.start();
    demo = await server.workspace("demo", plainApp("one"));
    await demo.push();
    await server.settled("demo");
    front = server.servicePid("front");
    agent = server.servicePid("agent");
  });
  afterAll(() => server.remove());

  /** As the process's own user, who may do so without any right of root's. */
  const prlimit = (pid: number, ...words: string[]): string => {
    const { uid, gid } = statSync(`/proc/${pid}`);
    return execFileSync("prlimit", ["--pid", String(pid), ...words], { uid, gid }).toString();
  };
  /** The soft limit alone, which may be raised again. */
  const limit = (what: string, to: string | number, pid = front): void => {
    prlimit(pid, `--${what}=${to}:`);
  };
  const limitOf = (what: string, pid = front): string =>
    prlimit(pid, `--${what}`, "--noheadings", "--output", "SOFT").trim();
  const begin = (): Promise<string> =>
    server.receivePack("demo", "0000").then(({ status, body }) => `${status} ${body}`);
  const open = (pid = front): number => readdirSync(`/proc/${pid}/fd`).length;

  it.each<[string, string, () => number, RegExp]>([
    ["processes", "nproc", () => 1, /^503 error\[RESOURCES_EXHAUSTED]/],
    // It cannot even take the connection.
    ["open files, at its last", "nofile", () => open(), /^50[23] /],
    ["open files, with a few left", "nofile", () => open() + 6, /^503 error\[RESOURCES_EXHAUSTED]/],
  ])("of %s refuses the push and runs on", async (_, what, few, told) => {
    const before = limitOf(what);
    limit(what, few());
    const answer = await begin();
    const { exitCode, output } = await demo
      .deploy(plainApp(`not ${what}`), "Two")
      .finally(() => limit(what, before));

    expect(answer).toMatch(told);
    expect(exitCode, output).not.toBe(0);
    expect(server.servicePid("front")).toBe(front);
    expect((await server.get("demo")).body).not.toContain("not");
    const next = await demo.deploy(plainApp("next"), "Next");
    expect(next.exitCode, next.output).toBe(0);
    expect((await server.get("demo")).body).toBe("next");
  });

  // Each file that it may open lets it come one step further, to another process that it cannot start.
  it.each([0, 3, 6, 9, 12])(
    "has an agent beside it that with %i files left refuses the push and runs on",
    async (few) => {
      const before = limitOf("nofile", agent);
      limit("nofile", open(agent) + few, agent);
      const { exitCode, output } = await demo
        .deploy(plainApp(`few ${few}`), "Few")
        .finally(() => limit("nofile", before, agent));

      expect(server.servicePid("agent")).toBe(agent);
      const served = (await server.get("demo")).body === `few ${few}`;
      expect(exitCode === 0, output).toBe(served);
      expect(output).not.toContain("mistake in reeve");
    },
  );

  it("looks in vain for pushes that are gone, as the agent does, and both run on", async () => {
    const both = [front, agent].map((pid) => ({ pid, before: limitOf("nofile", pid) }));
    const push = demo.deploy(plainApp("slow", { importFor: 3 }), "Slow");
    // Its process is looked for twice a second while it is under way, by both.
    await eventually(async () => {
      const [record] = await server.json<{ state: string }[]>("deploys", "demo");
      return record?.state === "preparing";
    });
    for (const { pid } of both) limit("nofile", 0, pid);
    await sleep(1200);
    for (const { pid, before } of both) limit("nofile", before, pid);
    await push;

    const next = await demo.deploy(plainApp("looked"), "Looked");

    expect(next.exitCode, next.output).toBe(0);
    expect(server.servicePid("front")).toBe(front);
    expect(server.servicePid("agent")).toBe(agent);
    const said = (name: string): string =>
      readFileSync(join(server.home, "log", `${name}.log`), "utf8");
    expect(said("agent")).toContain("could not look for pushes that are gone");
    expect(said("front")).toContain("could not look for gits that are gone");
  });
});
