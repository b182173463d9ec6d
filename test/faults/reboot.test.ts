import { spawn } from "node:child_process";
import { chmodSync, existsSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { evaluatingApp, plainApp } from "../support/apps.ts";
import { kill, processesUnder } from "../support/processes.ts";
import { eventually, type TestServer } from "../support/server.ts";
import { withServer, withWorkspace } from "../support/with-server.ts";

describe("a reboot", () => {
  const tools = mkdtempSync(join(tmpdir(), "reeve-shim-"));
  chmodSync(tools, 0o755);
  const server = withServer([], {
    environment: { PATH: `${tools}:${process.env["PATH"] ?? ""}` },
  });
  const demo = withWorkspace(server, "demo", evaluatingApp("os.environ['WORD']"));

  beforeAll(async () => {
    await server.reeve("create", "demo");
    await server.reeve("vars", "demo", "set", "WORD=one");
    await demo.git("push", "--quiet", "deploy", "main");
    const other = await server.workspace("other", plainApp("other"));
    await other.git("push", "--quiet", "deploy", "main");
    await server.settled("demo");
    await server.settled("other");
  });
  afterAll(async () => {
    await fall(server);
    rmSync(tools, { recursive: true, force: true });
  });

  async function expectAppsToAnswer(): Promise<void> {
    const answers = async (): Promise<string[]> =>
      Promise.all(["demo", "other"].map((app) => server.get(app).then(({ body }) => body, String)));
    await eventually(async () => (await answers()).join() === "one,other", 15_000).catch(
      () => undefined,
    );
    expect(await answers()).toEqual(["one", "other"]);
  }

  it("brings every app back by the Emperor and nginx alone, with the run folder gone", async () => {
    await fall(server);
    rmSync(server.path("run"), { recursive: true });

    await startByHand(server.home);

    await expectAppsToAnswer();
    await fall(server);
  });

  it("brings them back by reeve, and the next deploy takes effect though the clock is an hour back", async () => {
    rmSync(server.path("run"), { recursive: true });
    // What was written before the reboot is then of the future.
    writeFileSync(
      join(tools, "setpriv"),
      '#!/bin/sh\nexport NO_FAKE_STAT=1 FAKE_UTIME=0\nexec faketime -m --exclude-monotonic -f -1h /usr/bin/setpriv "$@"\n',
      { mode: 0o755 },
    );
    await server.up();
    await expectAppsToAnswer();

    const push = await demo.deploy(plainApp("two"), "Two");

    expect(push.exitCode, push.output).toBe(0);
    expect((await server.get("demo")).body).toBe("two");
    const [deploy] = await server.json<{ startedAt: string }[]>("deploys", "demo");
    expect(Date.parse(deploy!.startedAt)).toBeLessThan(Date.now() - 3_000_000);
    await server.settled("demo");
    expect((await server.get("demo")).body).toBe("two");
    rmSync(join(tools, "setpriv"));
    await demo.deploy(evaluatingApp("os.environ['WORD']"), "One");
    await server.settled("demo");
  });

  it("brings every app back with reeve removed, but for what the Emperor and nginx read", async () => {
    await fall(server);
    for (const name of readdirSync(server.home))
      if (!["etc", "srv", "lib", "log"].includes(name))
        rmSync(server.path(name), { recursive: true });
    for (const name of readdirSync(server.path("lib")))
      if (!["links", "nginx"].includes(name)) rmSync(server.path("lib", name), { recursive: true });
    for (const name of ["server.toml", "git.conf"])
      rmSync(server.path("etc", name), { force: true });

    await startByHand(server.home);

    await expectAppsToAnswer();
  });
});

/** The power goes: nobody ends anything. */
async function fall(server: TestServer): Promise<void> {
  await server.interrupt("SIGKILL");
  await eventually(() => {
    const running = processesUnder(server.home);
    for (const { pid } of running) kill(pid);
    return running.length === 0;
  });
}

/** As an administrator would who has never heard of reeve. */
async function startByHand(home: string): Promise<void> {
  const env = { PATH: "/usr/sbin:/usr/bin:/sbin:/bin" };
  const start = (file: string, ...args: string[]): void => {
    spawn(file, args, { env, cwd: "/", detached: true, stdio: "ignore" }).unref();
  };
  const nginx = join(home, "etc/nginx");
  start("uwsgi-core", "--ini", join(home, "etc/emperor.ini"));
  await eventually(() => existsSync(join(home, "run/sockets")));
  start("nginx", "-p", nginx, "-c", join(nginx, "nginx.conf"));
}
