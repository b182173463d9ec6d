import { execFileSync } from "node:child_process";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from "vitest";
import { plainApp } from "../support/apps.ts";
import { eventually, TestServer } from "../support/server.ts";
import type { Workspace } from "../support/workspace.ts";

describe("a log that cannot be written", () => {
  let server: TestServer;
  let demo: Workspace;
  beforeAll(async () => {
    server = await TestServer.start();
    demo = await server.workspace("demo", plainApp("one"));
    await demo.push();
    await server.settled("demo");
  });
  afterAll(() => server.remove());

  it.each(["agent", "front"] as const)("keeps the %s from nothing", async (half) => {
    const before = server.servicePid(half);
    const log = join(server.home, "log", `${half}.log`);
    execFileSync("mount", ["--bind", "/dev/full", log]);
    onTestFinished(() => {
      execFileSync("umount", ["--lazy", log]);
    });
    process.kill(before, "SIGKILL");
    await eventually(() => isAnew(half, before));
    const pid = server.servicePid(half);

    // What each says when it begins cannot be written, and neither can what it says of this.
    await eventually(async () => (await server.reeve("apps")).exitCode === 0, 20_000);
    const { exitCode, output } = await demo.deploy(plainApp(`without ${half}.log`), "Next");

    expect(exitCode, output).toBe(0);
    expect((await server.get("demo")).body).toBe(`without ${half}.log`);
    expect(server.servicePid(half)).toBe(pid);
  });

  function isAnew(half: "agent" | "front", before: number): boolean {
    try {
      return server.servicePid(half) !== before;
    } catch {
      return false;
    }
  }
});
