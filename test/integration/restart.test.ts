import { execFileSync } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";
import { createServer } from "node:net";
import { beforeAll, describe, expect, it } from "vitest";
import { plainApp } from "../support/apps.ts";
import { childrenOf } from "../support/processes.ts";
import { eventually } from "../support/server.ts";
import { withApp, withServer } from "../support/with-server.ts";

describe("the embedded server", () => {
  const server = withServer();
  const demo = withApp(server, "demo", plainApp("one"));

  /** Everything that runs out of the server's folder. */
  const processes = (): string[] => {
    try {
      return execFileSync("pgrep", ["-af", server.home])
        .toString()
        .trim()
        .split("\n")
        .filter(Boolean);
    } catch {
      return [];
    }
  };

  beforeAll(() => server.settled("demo"));

  it("prints the lines to paste, and they work", async () => {
    const [remote = "", helper = "", push = ""] = server.said.match(/^ {2}git .*$/gm) ?? [];

    expect(remote).toBe(`  git remote add deploy ${server.remoteBelow("demo", "admin")}`);
    expect(helper).toContain(server.path("lib/front/token"));
    expect(push).toBe("  git push deploy main");
    expect(server.said).not.toContain(server.token);
    const pasted = await server.workspace("demo", {});
    await pasted.git("remote", "remove", "deploy");
    await pasted.git("fetch", "--quiet", demo.folder, "main");
    await pasted.git("reset", "--quiet", "--hard", "FETCH_HEAD");
    const { exitCode, output } = await pasted.run([remote, helper, push].join("\n"));
    expect([exitCode, output]).toEqual([0, "Everything up-to-date"]);
  });

  it("lets the Emperor and the apps open as many files as systemd lets a service, whatever it may itself", () => {
    const hard = /^Max open files +\S+ +(\S+)/m.exec(
      readFileSync("/proc/self/limits", "utf8"),
    )?.[1];
    const emperor = Number(server.read("run/emperor.pid"));
    const vassals = childrenOf(emperor);
    expect(vassals.length).toBeGreaterThan(0);

    for (const pid of [emperor, ...vassals, ...vassals.flatMap(childrenOf)])
      expect(readFileSync(`/proc/${pid}/limits`, "utf8")).toMatch(
        new RegExp(`^Max open files +1024 +${hard} `, "m"),
      );
  });

  it("ends on Ctrl-C with everything that it started", async () => {
    expect(processes().length).toBeGreaterThan(3);

    const exitCode = await server.interrupt();

    expect(exitCode).toBe(0);
    expect(processes()).toEqual([]);
  });

  it("brings every app back at its next start, without a push", async () => {
    await server.up();

    await eventually(async () => (await server.get("demo")).body === "one");
    expect(await demo.remoteCommit()).toBe(await demo.head());
  });

  it("takes a push right after it", async () => {
    const push = await demo.deploy(plainApp("two"), "Two");

    expect(push.exitCode, push.output).toBe(0);
    expect((await server.get("demo")).body).toBe("two");
  });

  it("brings the new release back when it is stopped while that settles", async () => {
    await demo.deploy(plainApp("three"), "Three");
    await server.interrupt();

    await server.up();

    await eventually(async () => (await server.get("demo")).status === 200);
    expect((await server.get("demo")).body).toBe("three");
    await server.settled("demo");
  });

  it("leaves nothing running when it is killed, and comes back", async () => {
    await server.interrupt("SIGKILL");

    await eventually(() => processes().length === 0, 20_000);
    await server.up();
    await eventually(async () => (await server.get("demo")).body === "three");
  });

  it.each(["front", "agent"] as const)(
    "starts its %s again when that dies, and takes the next push",
    async (service) => {
      const before = server.servicePid(service);
      process.kill(before, "SIGKILL");

      await eventually(() => {
        try {
          return server.servicePid(service) !== before;
        } catch {
          return false;
        }
      });
      await eventually(() => server.isUp());
      const push = await demo.deploy(plainApp(service), service);
      expect(push.exitCode, push.output).toBe(0);
      expect((await server.get("demo")).body).toBe(service);
    },
  );

  it("tells a pusher whose git is killed on the server, and lets nobody wait for ever", async () => {
    await server.settled("demo");
    const served = (await server.get("demo")).body;
    demo.write(plainApp("killed", { importFor: 2 }));
    await demo.commit("Killed");
    const push = demo.push("+HEAD:main");
    await eventually(() => readdirSync(server.path("etc/vassals")).join().includes(".next-"));
    const git = execFileSync("pgrep", ["-f", `receive-pack.*${server.home}`])
      .toString()
      .trim();
    for (const pid of git.split("\n")) process.kill(Number(pid), "SIGKILL");

    const { exitCode, output } = await push;

    expect(exitCode).not.toBe(0);
    expect(output).toContain("error[PUSH_GONE]: git ended on the server");
    expect((await server.get("demo")).body).toBe(served);
    await server.settled("demo");
  });

  it("starts its Emperor again when that dies, and the apps are back without a push", async () => {
    process.kill(Number(server.read("run/emperor.pid")), "SIGKILL");

    await eventually(async () => (await server.get("demo")).status === 200, 20_000);
    await server.settled("demo");
  });

  it("refuses a second one in the same folder", async () => {
    const { exitCode, output } = await server.reeve("up", "--port", "1");

    expect(exitCode).toBe(2);
    expect(output).toContain("error[SERVER_RUNNING]: reeve runs already");
  });

  it("says when its port is taken", async () => {
    await server.interrupt();
    const taken = createServer().listen(server.port, "127.0.0.1");
    try {
      const { exitCode, output } = await server.reeve("up");

      expect(exitCode).toBe(2);
      expect(output).toContain(
        `error[PORT_TAKEN]: port ${server.port} on 127.0.0.1 is taken by node (process ${process.pid})`,
      );
      expect(output).toContain("npm start -- --port");
    } finally {
      taken.close();
    }
  });

  it("says to a command that it does not run", async () => {
    const { exitCode, output } = await server.reeve("apps");

    expect(exitCode).toBe(3);
    expect(output).toContain("error[SERVER_DOWN]");
  });
});

describe.runIf(process.getuid?.() === 0)("with root", () => {
  const server = withServer();

  it("nothing of an app, and nothing that listens for git, runs as root", async () => {
    const demo = await server.workspace("demo", plainApp("good"));
    await demo.push();
    await server.settled("demo");

    const front = ["-o", "user:20=", "-p", String(server.servicePid("front"))];
    expect(execFileSync("ps", front).toString().trim()).toBe("reeve");
    const vassals = execFileSync("ps", [
      "-o",
      "user:20=",
      "--ppid",
      server.read("run/emperor.pid").trim(),
    ])
      .toString()
      .trim()
      .split("\n");
    // An understudy that has just ended may still be listed.
    expect([...new Set(vassals)]).toEqual([expect.stringMatching(/^reeve-demo(-\d+)?$/)]);
  });
});
