import { readdirSync } from "node:fs";
import { beforeAll, describe, expect, it } from "vitest";
import { plainApp } from "../support/apps.ts";
import { eventually } from "../support/server.ts";
import { Visitors } from "../support/visitors.ts";
import { withApp, withServer } from "../support/with-server.ts";

interface ReleaseLine {
  commit: string;
  subject: string;
  live: boolean;
  onDisk: boolean;
  deploy: number;
}

interface DeployLine {
  number: number;
  reason: string;
  state: string;
  newCommit: string;
  steps: { name: string }[];
}

describe("a rollback", () => {
  const server = withServer();
  const demo = withApp(server, "demo", plainApp("one"));
  const commits: string[] = [];

  beforeAll(async () => {
    commits.push(await demo.head());
    for (const text of ["two", "three", "four"]) {
      commits.push((await demo.deploy(plainApp(text), `Say ${text}`)).commit);
    }
    await server.settled("demo");
  });

  it("is a push of an older commit, and builds nothing", async () => {
    const push = await demo.push(`+${commits[0] ?? ""}:main`);

    expect(push.exitCode, push.output).toBe(0);
    expect(push.output).toMatch(/checkout {5}on disk already/);
    expect(push.output).toMatch(/environment {2}unchanged/);
    expect((await server.get("demo")).body).toBe("one");
    expect(await demo.remoteCommit()).toBe(commits[0]);
  });

  it("by command goes to the release that was on the air before, and moves the branch", async () => {
    const { exitCode, output } = await server.reeve("rollback", "demo");

    expect(exitCode, output).toBe(0);
    expect((await server.get("demo")).body).toBe("four");
    expect(await demo.remoteCommit()).toBe(commits[3]);
  });

  it("by command goes to any release, by its commit or its deploy's number", async () => {
    const byCommit = await server.reeve("rollback", "demo", commits[1]?.slice(0, 8) ?? "");
    expect(byCommit.exitCode, byCommit.output).toBe(0);
    expect((await server.get("demo")).body).toBe("two");

    const releases = await server.json<ReleaseLine[]>("releases", "demo");
    const third = releases.find((release) => release.commit === commits[2]);
    await server.reeve("rollback", "demo", String(third?.deploy));

    expect((await server.get("demo")).body).toBe("three");
    expect(await demo.remoteCommit()).toBe(commits[2]);
  });

  it("to a release that never was is refused", async () => {
    const { exitCode, output } = await server.reeve("rollback", "demo", "0123456");

    expect(exitCode).toBe(1);
    expect(output).toContain("error[RELEASE_UNKNOWN]: demo has no release 0123456");
  });

  it("is told by `releases` and `deploys`", async () => {
    const releases = await server.json<ReleaseLine[]>("releases", "demo");
    const deploys = await server.json<DeployLine[]>("deploys", "demo");

    expect(releases.map(({ commit }) => commit)).toEqual([
      commits[2],
      commits[1],
      commits[3],
      commits[0],
    ]);
    expect(releases.map(({ live }) => live)).toEqual([true, false, false, false]);
    expect(releases.every(({ onDisk }) => onDisk)).toBe(true);
    expect(deploys.map(({ reason }) => reason)).toEqual([
      "rollback",
      "rollback",
      "rollback",
      "push",
      "push",
      "push",
      "push",
      "push",
    ]);
    expect(deploys.every(({ state }) => state === "live")).toBe(true);
  });

  it("lets a developer go on from where the branch is", async () => {
    await demo.git("fetch", "--quiet", "deploy");
    await demo.git("reset", "--quiet", "--hard", "deploy/main");

    const push = await demo.deploy(plainApp("five"), "Say five");

    expect(push.exitCode, push.output).toBe(0);
    expect((await server.get("demo")).body).toBe("five");
  });

  it("finds the last five releases on disk, and the older ones in git", async () => {
    for (const text of ["six", "seven", "eight"]) await demo.deploy(plainApp(text), `Say ${text}`);
    await server.settled("demo");
    await eventually(() => readdirSync(server.path("srv/demo/releases")).length === 6);

    const { exitCode, output } = await server.reeve("rollback", "demo", commits[0] ?? "");

    expect(exitCode, output).toBe(0);
    expect(output).toMatch(/checkout {5}checked out/);
    expect((await server.get("demo")).body).toBe("one");
  });
});

describe("rollbacks in a row", () => {
  const server = withServer();

  it("go one further back each time, and end at the first release", async () => {
    const demo = await server.workspace("demo", plainApp("one"));
    await demo.push();
    await demo.deploy(plainApp("two"));
    await demo.deploy(plainApp("three"));

    for (const text of ["two", "one"]) {
      const { exitCode, output } = await server.reeve("rollback", "demo");
      expect(exitCode, output).toBe(0);
      expect((await server.get("demo")).body).toBe(text);
    }

    const { exitCode, output } = await server.reeve("rollback", "demo");
    expect(exitCode).toBe(1);
    expect(output).toContain("error[RELEASE_UNKNOWN]: demo has no release before the one");
    expect((await server.get("demo")).body).toBe("one");
  });
});

describe("a release that can run but once", () => {
  const server = withServer([], { visited: true });

  it("goes on in its understudy: degraded, said so, and no visitor notices", async () => {
    const demo = await server.workspace("demo", plainApp("one"));
    await demo.push();
    await server.settled("demo");
    const once = `import fcntl, os
lock = open(os.environ["REEVE_DATA"] + "/once", "w")
fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
${plainApp("once")["app.py"] ?? ""}`;

    const push = await demo.deploy({ "app.py": once }, "Run but once");

    expect(push.exitCode, push.output).toBe(0);
    const visitors = new Visitors(server, "demo");
    visitors.come(50, "once");
    await eventually(async () => {
      const [app] = await server.command("apps", {});
      return app?.state === "degraded";
    }, 20_000);
    await new Promise((resolve) => setTimeout(resolve, 2000));
    expect(await visitors.leave()).toEqual({ failed: [], stale: [] });
    expect((await server.reeve("show", "demo")).output).toMatch(
      /degraded: the vassal did not come up/,
    );

    const mended = await demo.deploy(plainApp("mended"), "Run as often as you like");

    expect(mended.exitCode, mended.output).toBe(0);
    await server.settled("demo");
    expect((await server.get("demo")).body).toBe("mended");
  });
});
