import { execFileSync } from "node:child_process";
import { readdirSync, statSync } from "node:fs";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { plainApp } from "../support/apps.ts";
import { TestServer } from "../support/server.ts";
import type { Workspace } from "../support/workspace.ts";

describe("a front that the system gives no more", () => {
  let server: TestServer;
  let demo: Workspace;
  let front: number;

  beforeAll(async () => {
    server = await TestServer.start();
    demo = await server.workspace("demo", plainApp("one"));
    await demo.push();
    await server.settled("demo");
    front = server.servicePid("front");
  });
  afterAll(() => server.remove());

  /** As the front's own user, who may do so without any right of root's. */
  const prlimit = (...words: string[]): string => {
    const { uid, gid } = statSync(`/proc/${front}`);
    return execFileSync("prlimit", ["--pid", String(front), ...words], { uid, gid }).toString();
  };
  /** The soft limit alone, which may be raised again. */
  const limit = (what: string, to: string | number): void => {
    prlimit(`--${what}=${to}:`);
  };
  const limitOf = (what: string): string =>
    prlimit(`--${what}`, "--noheadings", "--output", "SOFT").trim();
  const begin = (): Promise<string> =>
    server.receivePack("demo", "0000").then(({ status, body }) => `${status} ${body}`);
  const open = (): number => readdirSync(`/proc/${front}/fd`).length;

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
});
