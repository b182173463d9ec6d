import { appendFileSync, existsSync, rmSync, writeFileSync } from "node:fs";
import { beforeAll, describe, expect, it } from "vitest";
import { askHeld, holdingApp } from "../support/apps.ts";
import { eventually, type TestServer } from "../support/server.ts";
import { kill } from "../support/processes.ts";
import { withServer, withWorkspace } from "../support/with-server.ts";
import { carried, hold, prepareToHold, release } from "./held.ts";
import { find, receiver } from "./victims.ts";

/** Not one that pins a release. */
const movesBranch = /update-ref -m reeve: rollback/;

describe("between the switch and the record", () => {
  const server = withServer();
  const demo = withWorkspace(server, "demo", holdingApp("one"));
  let first: string;
  const lock = "lib/repositories/demo.git/refs/heads/main.lock";

  beforeAll(async () => {
    prepareToHold(server);
    await demo.push();
    first = await demo.head();
    await demo.deploy(holdingApp("two"), "Two");
    await server.settled("demo");
  });

  it("whoever was sent to a release that is taken back gets its answer", async () => {
    demo.write(holdingApp("three"));
    await demo.commit("Three");
    hold(server, carried.refMoves);
    const push = demo.start("push", "deploy", "main");
    await eventually(() => carried.refMoves.isReached(server), 20_000);
    const slow = await askHeld(server, "demo");
    kill(receiver(server));
    release(server);
    expect((await push).exitCode).toBe(1);
    await eventually(async () => (await server.get("demo")).body === "two");
    slow.letGo();

    expect(await slow.answer).toMatchObject({ status: 200, body: "three" });
    // What the git that was killed has left: the next lock is somebody else's.
    await eventually(() => !existsSync(server.path(lock)));
    await demo.git("reset", "--quiet", "--hard", "HEAD~1");
    await server.settled("demo");
  });

  /** A rollback whose traffic is led to the release, while its git waits for somebody else's lock on the branch. */
  const rollBackBehindLock = (commit: string): ReturnType<TestServer["reeve"]> => {
    appendFileSync(server.path("etc/git.conf"), "[core]\n\tfilesRefLockTimeout = 10000\n");
    writeFileSync(server.path(lock), "");
    return server.reeve("rollback", "demo", commit);
  };

  it("an agent that falls leaves a rollback on the air, and it is said so", async () => {
    const rollback = rollBackBehindLock(first);
    await eventually(() => find(server, movesBranch) > 0, 20_000);
    kill(server.servicePid("agent"));
    rmSync(server.path(lock), { force: true });

    const { exitCode, output } = await rollback;

    expect(exitCode, output).toBe(0);
    expect(output).toMatch(/on the air/);
    expect(output).not.toMatch(/nothing was deployed/);
    expect((await server.get("demo")).body).toBe("one");
    await server.settled("demo");
    const { output: audit } = await server.reeve("audit");
    expect(audit).toMatch(/rollback/);
  });

  it("a branch that moves too late is told, and what it names is put on the air by hand", async () => {
    const second = await demo.head();
    const rollback = rollBackBehindLock(second);
    await eventually(() => find(server, movesBranch) > 0, 20_000);
    const git = find(server, movesBranch);
    process.kill(git, "SIGSTOP");
    kill(server.servicePid("agent"));
    const isRefused = async (): Promise<boolean> => {
      const deploys = await server.command("deploys", { app: "demo", limit: 1 }).catch(() => []);
      return deploys[0]?.state === "refused";
    };
    await eventually(isRefused, 60_000);
    rmSync(server.path(lock), { force: true });
    process.kill(git, "SIGCONT");

    const { exitCode, output } = await rollback;

    expect(exitCode, output).toBe(1);
    expect(output).toMatch(/error\[REF_MOVED]: refs\/heads\/main moved only after/);
    expect((await server.get("demo")).body).toBe("one");
    expect((await server.reeve("redeploy", "demo")).exitCode).toBe(0);
    expect((await server.get("demo")).body).toBe("two");
    await server.settled("demo");
  });
});
