import { appendFileSync, readlinkSync, rmSync, writeFileSync } from "node:fs";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { eventually, TestServer } from "../support/server.ts";
import { kill } from "../support/processes.ts";
import type { Workspace } from "../support/workspace.ts";
import { carried, hold, prepareToHold, release } from "./held.ts";
import { receiver } from "./victims.ts";

/** Answers at once, and at /slow after two seconds. */
const app = (text: string): Record<string, string> => ({
  "app.py": `import time

def app(environ, start_response):
    if environ["PATH_INFO"] == "/slow":
        time.sleep(2)
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [b"${text}"]
`,
});

describe("between the switch and the record", () => {
  let server: TestServer;
  let demo: Workspace;
  let first: string;

  beforeAll(async () => {
    server = await TestServer.start();
    prepareToHold(server);
    demo = await server.workspace("demo", app("one"));
    await demo.push();
    first = await demo.head();
    await demo.deploy(app("two"), "Two");
    await server.settled("demo");
  });
  afterAll(() => server.remove());

  it("whoever was led to a release that is taken back gets its answer", async () => {
    demo.write(app("three"));
    await demo.commit("Three");
    hold(server);
    const push = demo.start("push", "deploy", "main");
    await eventually(() => carried.refMoves.isReached(server), 20_000);
    const slow = server.get("demo", "/slow");
    await new Promise((resolve) => setTimeout(resolve, 100));
    kill(receiver(server));
    release(server);

    expect(await slow).toMatchObject({ status: 200, body: "three" });
    expect((await push).exitCode).toBe(1);
    await eventually(async () => (await server.get("demo")).body === "two");
    await demo.git("reset", "--quiet", "--hard", "HEAD~1");
    await server.settled("demo");
  });

  it("an agent that falls leaves a rollback on the air, and it is said so", async () => {
    // git waits for somebody else's lock on the branch.
    appendFileSync(server.path("etc/git.conf"), "[core]\n\tfilesRefLockTimeout = 10000\n");
    const lock = server.path("lib/repositories/demo.git/refs/heads/main.lock");
    writeFileSync(lock, "");
    const rollback = server.reeve("rollback", "demo", first);
    const link = server.path("lib/sockets/demo.sock");
    await eventually(() => readlinkSync(link).includes(".next-"), 20_000);
    kill(server.servicePid("agent"));
    rmSync(lock, { force: true });

    const { exitCode, output } = await rollback;

    expect(exitCode, output).toBe(0);
    expect(output).toMatch(/on the air/);
    expect(output).not.toMatch(/nothing was deployed/);
    expect((await server.get("demo")).body).toBe("one");
    await server.settled("demo");
    const { output: audit } = await server.reeve("audit");
    expect(audit).toMatch(/rollback/);
  });
});
