import { readdirSync, readFileSync } from "node:fs";
import { afterAll, beforeAll, describe, it } from "vitest";
import { plainApp } from "../test/support/apps.ts";
import { eventually, TestServer } from "../test/support/server.ts";
import type { Workspace } from "../test/support/workspace.ts";
import { median, printTable } from "./table.ts";

const number = Number(process.env["PREVIEWS"] ?? 500);
const rounds = Number(process.env["ROUNDS"] ?? 7);
/** Seconds that the app takes to import: what a visitor of a sleeping preview has to wait for anyway. */
const importFor = 0.5;
const idle = 3;

/** Many previews on one box: what they hold while nobody looks, how they wake, and what production notices. */
describe(`${number} previews`, () => {
  let server: TestServer;
  let demo: Workspace;
  let alone: number;
  const rows: (string | number)[][] = [];

  beforeAll(async () => {
    server = await TestServer.start([`preview_limit = ${number}`]);
    demo = await server.workspace("demo", plainApp("start", { importFor }));
    await demo.push();
    await server.reeve("options", "demo", "set", `preview_limit=${number}`, `preview_idle=${idle}`);
    await server.settled("demo");
    alone = await pushToLive(server, demo);
    for (let at = 0; at < number; at += 50) {
      const refs = Array.from(
        { length: Math.min(50, number - at) },
        (_, index) => `main:refs/heads/work/${at + index}`,
      );
      const { exitCode, output } = await demo.push(...refs);
      if (exitCode !== 0) throw new Error(output);
    }
    await eventually(async () => (await asleep(server)) === number, 600_000);
    // The understudies of the last pushes are still finishing what they carried.
    await eventually(
      () => !readdirSync(server.path("log/apps")).some((name) => name.includes(".next-")),
      60_000,
    );
  }, 3_000_000);
  afterAll(async () => {
    await server.remove();
    printTable([`${number} previews`, "measured", "bound"], rows);
  });

  it("hold no process of an app, and nginx takes its configuration", () => {
    const processes = Array.from({ length: number }, (_, index) => `work-${index}--demo`)
      .map((name) => server.processesOf(name).length)
      .reduce((sum, count) => sum + count, 0);
    rows.push(["processes of sleeping apps", processes, 0]);
    for (const [name, pid] of [
      ["front", server.servicePid("front")],
      ["agent", server.servicePid("agent")],
      ["Emperor", Number(server.read("run/emperor.pid"))],
      ["nginx, master", Number(server.read("run/nginx.pid"))],
    ] as const)
      rows.push([`resident memory of ${name}, MB`, residentMegabytes(pid), ""]);
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
    rows.push([
      "first answer of one that slept long, ms (worst)",
      Math.round(Math.max(...first)),
      boot + 300,
    ]);
    rows.push([
      "first answer right after falling asleep, ms (worst)",
      Math.round(Math.max(...again)),
      1500,
    ]);
  });

  it("cost a push to production little", async () => {
    const beside = await pushToLive(server, demo);
    rows.push(["push to live of production without them, ms (median)", Math.round(alone), ""]);
    rows.push([
      "push to live of production beside them, ms (median)",
      Math.round(beside),
      Math.round(alone * 1.3),
    ]);
  });
});

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
    demo.write(plainApp(`round ${round} ${Date.now()}`, { importFor }));
    await demo.commit(`Round ${round}`);
    await server.settled("demo");
    const began = performance.now();
    const { exitCode, output } = await demo.push();
    if (exitCode !== 0) throw new Error(output);
    times.push(performance.now() - began);
  }
  return median(times);
}

function residentMegabytes(pid: number): number {
  const status = readFileSync(`/proc/${pid}/status`, "utf8");
  return Math.round(Number(/^VmRSS:\s+(\d+)/m.exec(status)?.[1]) / 1024);
}
