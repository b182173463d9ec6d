import { spawn } from "node:child_process";
import { appendFileSync, existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { request } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, it } from "vitest";
import { projectRoot, TestServer } from "../test/support/server.ts";
import { Visitors } from "../test/support/visitors.ts";
import { fromWheels, wheelFolder } from "../test/support/wheels.ts";
import type { Workspace } from "../test/support/workspace.ts";
import { plainApp } from "../test/support/apps.ts";
import { median, printTable, type Cell } from "./table.ts";

const rounds = Number(process.env["ROUNDS"] ?? 10);
/** Traffic that starts together with a push would wake the Emperor, and flatter. */
const trafficBefore = 4000;

const rows: Cell[][] = [];

/**
 * From the start of `git push` to the first answer of the new code through nginx, beside its floor in the same
 * round: the same push to a repository of the same server without hooks, and the boot of the app by itself.
 * Whoever looks for the new page looks during the floor's parts as well: on a machine of two cores the looking
 * is a load of its own, and both sides carry it.
 */
describe("push to live", () => {
  let server: TestServer;
  const wheels = wheelFolder();

  beforeAll(async () => {
    server = await TestServer.start([], { visited: true });
  });
  afterAll(async () => {
    await server.remove();
    printTable(
      [
        `push to live, ms (median of ${rounds})`,
        "reeve",
        "floor",
        "= bare push",
        "+ boot",
        "ratio",
      ],
      rows,
    );
  });

  it("code only", async () => {
    const app = await prepare(server, "code", bottle("start"));
    await measure(app, "code only, examples/bottle", (round) => bottle(`round ${round}`));
  });

  it("code only, of an app that imports nothing", async () => {
    const app = await prepare(server, "plain", plainApp("start"));
    await measure(app, "code only, an app without imports", (round) => plainApp(`round ${round}`));
  });

  it("a changed requirement", async () => {
    const app = await prepare(server, "needs", {
      ...plainApp("start"),
      "requirements.txt": fromWheels(wheels, "greeting==1.0"),
    });
    await measure(app, "a changed requirement", (round) => ({
      ...plainApp(`round ${round}`),
      "requirements.txt": fromWheels(wheels, "greeting==1.0", `# round ${round}`),
    }));
  });

  it("a rollback by push", async () => {
    const app = await prepare(server, "back", bottle("one"));
    await deployBoth(app, bottle("two"));
    await measure(app, "a rollback by push", undefined);
  });

  it("code only, 20,000 files", async () => {
    const files = Object.fromEntries(
      Array.from({ length: 20_000 }, (_, index) => [
        `data/${index % 200}/${index}.txt`,
        `file ${index}\n`,
      ]),
    );
    const app = await prepare(server, "large", { ...files, ...bottle("start") });
    await measure(app, "code only, 20,000 files", (round) => bottle(`round ${round}`));
  });
});

/** The article's app, with another greeting. */
function bottle(text: string): Record<string, string> {
  const folder = join(projectRoot, "examples/bottle");
  return {
    "app.py": readFileSync(join(folder, "app.py"), "utf8").replace("Hello world\\n", text),
    "requirements.txt": readFileSync(join(folder, "requirements.txt"), "utf8"),
  };
}

interface Benched {
  server: TestServer;
  name: string;
  workspace: Workspace;
}

/** The app itself, and a repository beside it whose hooks are switched off. */
async function prepare(
  server: TestServer,
  name: string,
  files: Record<string, string>,
): Promise<Benched> {
  await server.reeve("create", `${name}-bare`);
  // Appended, so that the file stays the front's own.
  const repository = server.path(`lib/repositories/${name}-bare.git`);
  appendFileSync(join(repository, "config"), "[core]\n\thooksPath = /dev/null\n");
  const workspace = await server.workspace(name, files);
  await workspace.git("remote", "add", "bare", server.remote(`${name}-bare`));
  await workspace.git("push", "--quiet", "bare", "main");
  await workspace.git("push", "--quiet", "deploy", "main");
  return { server, name, workspace };
}

async function deployBoth({ workspace }: Benched, files: Record<string, string>): Promise<void> {
  workspace.write(files);
  await workspace.commit("A round");
  await workspace.git("push", "--quiet", "bare", "main");
  await workspace.git("push", "--quiet", "deploy", "main");
}

async function measure(
  app: Benched,
  title: string,
  change: ((round: number) => Record<string, string>) | undefined,
): Promise<void> {
  const { server, name, workspace } = app;
  const live: number[] = [];
  const bare: number[] = [];
  const boot: number[] = [];
  const visitors = new Visitors(server, name);
  for (let round = 0; round < rounds; round += 1) {
    await server.settled(name);
    visitors.come(20, "");
    await new Promise((resolve) => setTimeout(resolve, trafficBefore));

    // A rollback goes to and fro between two commits that are on disk.
    const target = change ? "HEAD" : round % 2 === 0 ? "HEAD~1" : "HEAD";
    const text = change ? `round ${round}` : round % 2 === 0 ? "one" : "two";
    if (change) {
      workspace.write(change(round));
      await workspace.commit(`Round ${round}`);
    }
    const pushBare = () => workspace.git("push", "--quiet", "bare", `+${target}:main`);
    bare.push(await lookingOn(app, () => timed(pushBare)));
    live.push(await pushToLive(app, target, text));
    boot.push(await lookingOn(app, () => bootAlone(server, name)));
    await visitors.leave();
  }
  const floor = bare.map((push, index) => push + (boot[index] ?? 0));
  rows.push([title, live, floor, bare, boot, median(live) / median(floor)]);
}

async function pushToLive(
  { server, name, workspace }: Benched,
  target: string,
  text: string,
): Promise<number> {
  const began = performance.now();
  const pushing = workspace.git("push", "--quiet", "deploy", `+${target}:main`);
  let seen: number | undefined;
  while (seen === undefined) {
    const { body } = await server.get(name);
    if (body === text) seen = performance.now() - began;
    else await new Promise((resolve) => setTimeout(resolve, 5));
  }
  await pushing;
  return seen;
}

/** The same looks at the page as during a push to live, for a part of the floor. */
async function lookingOn({ server, name }: Benched, work: () => Promise<number>): Promise<number> {
  const state = { done: false };
  const working = work().finally(() => (state.done = true));
  while (!state.done) {
    await server.get(name);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
  return working;
}

/** uWSGI with this app and nothing else: from its start to its first answer. */
async function bootAlone(server: TestServer, name: string): Promise<number> {
  const folder = mkdtempSync(join(tmpdir(), "reeve-boot-"));
  const socket = join(folder, "boot.sock");
  const began = performance.now();
  const uwsgi = spawn(
    "uwsgi-core",
    [
      "--plugin",
      "python3",
      "--http-socket",
      socket,
      "--master",
      "--workers",
      "2",
      "--need-app",
      "--chdir",
      server.path(`srv/${name}/app`),
      "--virtualenv",
      server.path(`srv/${name}/env`),
      "--module",
      "app:app",
      "--die-on-term",
    ],
    { stdio: "ignore" },
  );
  while (!existsSync(socket) || !(await answers(socket)))
    await new Promise((resolve) => setTimeout(resolve, 2));
  const took = performance.now() - began;
  uwsgi.kill("SIGKILL");
  await new Promise((resolve) => uwsgi.once("exit", resolve));
  rmSync(folder, { recursive: true, force: true });
  return took;
}

function answers(socketPath: string): Promise<boolean> {
  return new Promise((resolve) => {
    const client = request({ socketPath, path: "/", agent: false }, (response) => {
      response.resume();
      response.on("end", () => resolve(response.statusCode === 200));
    });
    client.on("error", () => resolve(false));
    client.end();
  });
}

async function timed(work: () => Promise<unknown>): Promise<number> {
  const began = performance.now();
  await work();
  return performance.now() - began;
}
