import { execFileSync } from "node:child_process";
import { join } from "node:path";
import { beforeAll, describe, expect, it, onTestFinished } from "vitest";
import { plainApp } from "../support/apps.ts";
import { eventually } from "../support/server.ts";
import { withApp, withServer } from "../support/with-server.ts";

describe("a log that cannot be written", () => {
  const server = withServer();
  const demo = withApp(server, "demo", plainApp("one"));
  beforeAll(() => server.settled("demo"));

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
    await eventually(() => server.isUp(), 20_000);
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
