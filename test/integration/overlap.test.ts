import { existsSync, readlinkSync, rmSync, writeFileSync } from "node:fs";
import { basename } from "node:path";
import { beforeAll, describe, expect, it } from "vitest";
import { evaluatingApp } from "../support/apps.ts";
import { eventually } from "../support/server.ts";
import { withApp, withServer, withWorkspace } from "../support/with-server.ts";

const words = (text: string): Record<string, string> =>
  evaluatingApp(`"${text} " + os.environ.get("WORD", "-") + " " + os.environ["REEVE_COMMIT"]`);

describe("an app that cannot run beside itself (overlap = false)", () => {
  const server = withServer();
  const demo = withWorkspace(server, "demo", words("one"));

  beforeAll(async () => {
    await server.reeve("create", "demo");
    await server.reeve("options", "demo", "set", "overlap=false");
    await demo.push();
    await server.settled("demo");
  });

  const served = async (): Promise<string> => (await server.get("demo")).body;

  it("is stopped and started by a push, which says what that cost", async () => {
    const { exitCode, output, commit } = await demo.deploy(words("two"), "Two");

    expect(exitCode, output).toBe(0);
    expect(output).toMatch(/ health +healthy \(GET \/ 200\), off the air for \d+ ms/);
    expect(await served()).toBe(`two - ${commit}`);
  });

  it("ends as it would by itself: what it has registered for its end runs in the worker and in the master", async () => {
    const last = `import atexit
atexit.register(lambda: print("at the end of", os.getpid(), flush=True))
`;
    const app = words("ends")["app.py"] ?? "";
    await demo.deploy({ "app.py": app.replace("import os\n", `import os\n${last}`) }, "Ends");

    await demo.deploy(words("two"), "Two again");

    const ends = [...server.read("log/apps/demo.log").matchAll(/^at the end of (\d+)$/gm)];
    expect(new Set(ends.map(([, pid]) => pid)).size).toBe(2);
  });

  it("is stopped by a push although its ini was removed by hand, and started with a new one", async () => {
    rmSync(server.path("etc/vassals/demo.ini"));

    const { exitCode, output, commit } = await demo.deploy(words("two"), "Without an ini");

    expect(exitCode, output).toBe(0);
    expect(await served()).toBe(`two - ${commit}`);
  });

  it("gets the variables that are changed, and loses those that are unset", async () => {
    const head = await demo.head();

    const set = await server.reeve("vars", "demo", "set", "WORD=hello");
    expect(set.exitCode, set.output).toBe(0);
    expect(await served()).toBe(`two hello ${head}`);

    const unset = await server.reeve("vars", "demo", "unset", "WORD");
    expect(unset.exitCode, unset.output).toBe(0);
    expect(await served()).toBe(`two - ${head}`);
  });

  it("is started again with the release and the variables of before where the new one fails", async () => {
    await server.reeve("vars", "demo", "set", "WORD=before");
    const head = await demo.head();

    const { exitCode, output } = await demo.deploy({ "app.py": "import nosuchmodule\n" }, "Bad");

    expect(exitCode).toBe(1);
    expect(output).toMatch(/error\[APP_UNHEALTHY]/);
    expect(await served()).toBe(`two before ${head}`);
    await demo.git("reset", "--quiet", "--hard", head);
    await server.settled("demo");
  });

  it("runs on where the Emperor does not answer: nothing is stopped that nobody would start", async () => {
    const before = await served();
    const emperor = Number(server.read("run/emperor.pid"));
    process.kill(emperor, "SIGSTOP");
    const { exitCode, output } = await demo.deploy(words("three"), "Three").finally(() => {
      process.kill(emperor, "SIGCONT");
    });

    expect(exitCode).toBe(1);
    expect(output).toMatch(/error\[EMPEROR_DOWN]/);
    expect(await served()).toBe(before);
    const again = await demo.push();
    expect(again.exitCode, again.output).toBe(0);
    expect(await served()).toMatch(/^three before /);
  });

  it("is back with the former release when the Emperor falls in the midst of the restart", async () => {
    const before = await served();
    const head = await demo.head();
    const deploying = demo.deploy({ "app.py": "import time\ntime.sleep(60)\n" }, "Slow");
    await eventually(() => server.read("srv/demo/app/app.py").includes("sleep"));
    process.kill(Number(server.read("run/emperor.pid")), "SIGKILL");

    const { exitCode, output } = await deploying;

    expect(exitCode, output).toBe(1);
    await eventually(async () => (await served().catch(() => "")) === before, 30_000);
    await demo.git("reset", "--quiet", "--hard", head);
    const { output: reconciled } = await server.reeve("reconcile");
    expect(reconciled).toBe("everything is as it should be");
  });
});

/** While the file `held` is there its vassal for good waits in its import; while `slow` is there, who asks for /slow. */
const held = (word: string): Record<string, string> => ({
  "app.py": `import os, time, uwsgi

def wait_for(name):
    while os.path.exists(os.environ["REEVE_DATA"] + "/" + name):
        time.sleep(0.02)

if b".next-" not in uwsgi.opt["http-socket"]:
    wait_for("held")

def app(environ, start_response):
    if environ["PATH_INFO"] == "/slow":
        wait_for("slow")
    start_response("200 OK", [])
    return [b"${word}"]
`,
});

describe("an app that may not run beside itself any more, and whose understudy has the traffic", () => {
  const server = withServer();
  const demo = withApp(server, "demo", held("one"));

  const data = (name: string): string => server.path("srv/demo/data", name);
  const leadsTo = (): string => readlinkSync(server.path("lib/links/demo/socket"));

  /** Puts it on the air by its understudy, behind which the vassal does not come up. Resolves to that one's ini. */
  async function servedByUnderstudy(word: string): Promise<string> {
    await server.reeve("options", "demo", "set", "overlap=true");
    writeFileSync(data("held"), "");
    const { exitCode, output } = await demo.deploy(held(word), word);
    expect(exitCode, output).toBe(0);
    expect(leadsTo()).toContain(".next-");
    await server.reeve("options", "demo", "set", "overlap=false");
    return server.path("etc/vassals", basename(leadsTo(), ".sock") + ".ini");
  }

  beforeAll(() => server.settled("demo"));

  it("has nobody led to the understudy when that ends, whose requests end well", async () => {
    const ini = await servedByUnderstudy("two");
    writeFileSync(data("slow"), "");
    const slow = server.get("demo", "/slow");

    const deploying = demo.deploy(held("three"), "three");
    await eventually(() => !existsSync(ini), 30_000);
    const led = leadsTo();
    for (const name of ["held", "slow"]) rmSync(data(name));

    const { exitCode, output } = await deploying;
    expect(exitCode, output).toBe(0);
    expect(led).toMatch(/\/demo\.sock$/);
    expect(await slow).toMatchObject({ status: 200, body: "two" });
    expect((await server.get("demo")).body).toBe("three");
  });

  it("is live with the former release again where the new one fails, and that has settled then", async () => {
    const ini = await servedByUnderstudy("four");

    const deploying = demo.deploy({ "app.py": "import nosuchmodule\n" }, "Bad");
    await eventually(() => !existsSync(ini), 30_000);
    rmSync(data("held"));

    expect((await deploying).exitCode).toBe(1);
    expect((await server.get("demo")).body).toBe("four");
    expect(await server.json("apps")).toMatchObject([{ app: "demo", state: "live" }]);
    expect((await server.reeve("reconcile")).output).toBe("everything is as it should be");
  });
});
