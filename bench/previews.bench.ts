import { existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { execaSync } from "execa";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { findProcess } from "../src/system/processes.ts";
import { plainApp } from "../test/support/apps.ts";
import { eventually, TestServer } from "../test/support/server.ts";
import type { Workspace } from "../test/support/workspace.ts";
import { succeeds } from "./outcome.ts";
import { median, printTable, type Cell } from "./table.ts";

const number = Number(process.env["PREVIEWS"] ?? 500);
const rounds = Number(process.env["ROUNDS"] ?? 7);
/** Seconds that the app takes to import: what a visitor of a sleeping preview has to wait for anyway. */
const importFor = 0.5;
const idle = 3;

/**
 * With `PREVIEWS_HOME=DIR` the server stays in that folder. A run that was interrupted is gone on with there, and
 * the bench may be run in pieces of `MINUTES`: each makes as many previews as it can, and the one that has them
 * all measures.
 */
const home = process.env["PREVIEWS_HOME"];
const minutes = Number(process.env["MINUTES"] ?? 90);
/** Minutes in which what was begun is done: the last push, and the falling asleep of all. */
const lastly = 20;

/** Many previews on one box: what they hold while nobody looks, how they wake, and what production notices. */
describe(`${number} previews`, () => {
  let server: TestServer;
  let demo: Workspace;
  let alone: number;
  const rows: Cell[][] = [];
  const measured = (what: string, value: number, bound: number): void => {
    rows.push([what, value, bound]);
    expect(Math.round(value), what).toBeLessThanOrEqual(Math.round(bound));
  };

  beforeAll(
    async () => {
      const end = performance.now() + minutes * 60_000;
      const limit = [`preview_limit = ${number}`];
      if (home !== undefined) await endFormerRun(home);
      server = await TestServer.start(limit, {
        visited: true,
        ...(home === undefined ? {} : { home, port: 18_080 }),
      });
      demo = await server.workspace("demo", app(server, "start"));
      importTime(server, importFor);
      if (existsSync(server.path("lib/repositories/demo.git/refs/heads/main"))) {
        await demo.git("fetch", "--quiet", "deploy", "main");
        await demo.git("reset", "--quiet", "--hard", "FETCH_HEAD");
      } else await demo.git("push", "--quiet", "deploy", "main");
      if (!existsSync(server.path("alone"))) {
        const options = [`preview_limit=${number}`, `preview_idle=${idle}`];
        await server.reeve("options", "demo", "set", ...options);
        await server.settled("demo");
        await server.write("alone", String(await pushToLive(server, demo)));
      }
      alone = Number(server.read("alone"));

      // Each preview is proven by its boot; here that need not take its time.
      importTime(server, 0);
      const made = new Set(
        (await server.json<{ branch: string }[]>("previews", "demo")).map(({ branch }) => branch),
      );
      const missing = Array.from({ length: number }, (_, index) => `work/${index}`).filter(
        (branch) => !made.has(branch),
      );
      const began = performance.now();
      const due = missing.length;
      while (missing.length > 0) {
        if (performance.now() > end) throw new Error(`${missing.length} are missing: run it again`);
        const refs = missing.splice(0, 25).map((branch) => `main:refs/heads/${branch}`);
        await succeeds(demo.push(...refs));
      }
      if (due > 0)
        rows.push([`made in this run: ${due}, ms each`, (performance.now() - began) / due, ""]);
      importTime(server, importFor);
      await eventually(async () => (await asleep(server)) === number, 600_000);
      // The understudies of the last pushes are still finishing what they carried.
      await eventually(
        () => !readdirSync(server.path("log/apps")).some((name) => name.includes(".next-")),
        60_000,
      );
      if (performance.now() > end) throw new Error("all are there: run it again to measure");
    },
    (minutes + lastly) * 60_000,
  );
  afterAll(async () => {
    if (home === undefined) await server.remove();
    else await server.interrupt();
    printTable([`${number} previews`, "measured", "bound"], rows);
  });

  it("hold no process of an app, and nginx takes its configuration", async () => {
    for (const [name, pid] of [
      ["front", server.servicePid("front")],
      ["agent", server.servicePid("agent")],
      ["Emperor", Number(server.read("run/emperor.pid"))],
      ["nginx, master", Number(server.read("run/nginx.pid"))],
    ] as const)
      rows.push([`resident memory of ${name}, MB`, residentMegabytes(pid), ""]);
    const processes = Array.from({ length: number }, (_, index) => `work-${index}--demo`)
      .map((name) => server.processesOf(name).length)
      .reduce((sum, count) => sum + count, 0);
    measured("processes of sleeping apps", processes, 0);
    rows.push(["previews that are asleep", await asleep(server), number]);
    expect(await asleep(server)).toBe(number);
    measured("lines that nginx -t has to say", nginxSays(server).length, 0);
  });

  it("wake in their boot and a little more", async () => {
    const boot = importFor * 1000;
    const first: number[] = [];
    const again: number[] = [];
    for (let round = 0; round < rounds; round += 1) {
      const name = `work-${Math.floor(Math.random() * number)}--demo`;
      first.push(await answerTime(server, name));
      await eventually(() => server.processesOf(name).length === 0, 60_000);
      again.push(await answerTime(server, name));
    }
    measured("first answer of one that slept long, ms (worst)", Math.max(...first), boot + 300);
    measured("first answer right after falling asleep, ms (worst)", Math.max(...again), 1500);
  });

  it("cost a push to production little", async () => {
    const beside = await pushToLive(server, demo);
    rows.push(["push to live of production without them, ms (median)", alone, ""]);
    measured("push to live of production beside them, ms (median)", beside, alone * 1.3);
  });
});

/** One that ended without its server, killed say, left it behind. */
async function endFormerRun(folder: string): Promise<void> {
  const file = join(folder, "run/reeve.pid");
  if (!existsSync(file)) return;
  const [pid = 0, startTime] = readFileSync(file, "utf8").trim().split(" ").map(Number);
  const isThere = async (): Promise<boolean> => (await findProcess(pid))?.startTime === startTime;
  if (pid === 0 || !(await isThere())) return;
  process.kill(pid, "SIGINT");
  await eventually(async () => !(await isThere()), 60_000);
}

/** What is wrong or doubtful with nginx's configuration. */
function nginxSays(server: TestServer): string[] {
  const words = [
    "-t",
    "-q",
    "-p",
    server.path("etc/nginx"),
    "-c",
    server.path("etc/nginx/nginx.conf"),
  ];
  const { stderr } = execaSync("/usr/sbin/nginx", words, { reject: false });
  return stderr.split("\n").filter(Boolean);
}

/** As long as the file says, it takes to import. */
function app(server: TestServer, text: string): Record<string, string> {
  const wait = `import time\ntime.sleep(float(open("${server.path("import-time")}").read()))\n`;
  return { "app.py": wait + (plainApp(text)["app.py"] ?? "") };
}

function importTime(server: TestServer, seconds: number): void {
  writeFileSync(server.path("import-time"), String(seconds));
}

async function asleep(server: TestServer): Promise<number> {
  const previews = await server.json<{ state: string }[]>("previews", "demo");
  return previews.filter(({ state }) => state === "asleep").length;
}

async function answerTime(server: TestServer, name: string): Promise<number> {
  const began = performance.now();
  const { status } = await server.get(name);
  if (status !== 200) throw new Error(`${name} answered ${status}`);
  return performance.now() - began;
}

async function pushToLive(server: TestServer, demo: Workspace): Promise<number> {
  const times: number[] = [];
  for (let round = 0; round < rounds; round += 1) {
    demo.write(app(server, `round ${round} ${Date.now()}`));
    await demo.commit(`Round ${round}`);
    await server.settled("demo");
    const began = performance.now();
    await succeeds(demo.push());
    times.push(performance.now() - began);
  }
  return median(times);
}

function residentMegabytes(pid: number): number {
  const status = readFileSync(`/proc/${pid}/status`, "utf8");
  return Math.round(Number(/^VmRSS:\s+(\d+)/m.exec(status)?.[1]) / 1024);
}
