import { readdirSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { printTable } from "../../bench/table.ts";
import { plainApp } from "../support/apps.ts";
import { eventually, type TestServer } from "../support/server.ts";
import type { Workspace } from "../support/workspace.ts";
import { kill, processesUnder } from "../support/processes.ts";
import { withServer } from "../support/with-server.ts";
import { isLong } from "./stage.ts";

const clients = isLong ? 10 : 4;
const apps = isLong ? 10 : 3;
const pushes = isLong ? 500 : 200;
/** Milliseconds after which no further push begins. */
const longest = isLong ? 900_000 : 15_000;
/** Milliseconds between two deaths; the supervisor's pauses grow with each that comes within 30 s. */
const between = 4000;

/** Pushes from all sides while reeve's processes are killed one after the other. */
describe("the soak", () => {
  const server = withServer();

  it("ends with every app serving its branch, and nothing left over", async () => {
    const names = Array.from({ length: apps }, (_, index) => `app-${index}`);
    const workspaces = await Promise.all(
      names.map((name) => server.workspace(name, plainApp(`${name} 0`))),
    );
    for (const workspace of workspaces) await workspace.git("push", "--quiet", "deploy", "main");
    for (const name of names) await server.settled(name);
    await server.tidied();
    const before = look(server);
    const reaper = new Reaper(server);

    const outcomes = { through: 0, refused: 0, broken: [] as string[] };
    let next = 0;
    const end = Date.now() + longest;
    const work = async (): Promise<void> => {
      while (next < pushes && Date.now() < end) {
        const turn = ++next;
        const index = turn % apps;
        const push = await pushOne(workspaces[index]!, `${names[index] ?? ""} ${turn}`);
        if (push.exitCode === 0) outcomes.through += 1;
        else outcomes.refused += 1;
        if (push.output.includes("INTERNAL")) outcomes.broken.push(push.output);
      }
    };
    await Promise.all(Array.from({ length: clients }, work));
    const deaths = reaper.end();

    await eventually(() => isQuiet(server, names), 60_000);
    const wrong: string[] = [];
    for (const [index, name] of names.entries()) {
      await server.settled(name).catch(() => wrong.push(`${name} does not settle`));
      const lost = await differing(server, workspaces[index]!, name);
      if (lost) wrong.push(lost);
    }
    for (const [index, name] of names.entries()) {
      const last = await pushUntilThrough(workspaces[index]!, `${name} last`);
      if (last.exitCode !== 0) wrong.push(`${name} takes no push any more: ${last.output}`);
      await server.settled(name).catch(() => wrong.push(`${name} does not settle`));
      const { body } = await server.get(name);
      if (body !== `${name} last`) wrong.push(`${name} serves ${body}`);
    }
    let after = look(server);
    await eventually(() => {
      after = look(server);
      return (
        after.files.join() === before.files.join() &&
        after.processes.length === before.processes.length
      );
    }, 30_000).catch(() => undefined);

    printTable(
      ["soak", "pushes", "through", "refused", "deaths", "processes", "descriptors"],
      [
        [
          "",
          next,
          outcomes.through,
          outcomes.refused,
          deaths,
          `${before.processes.length} → ${after.processes.length}`,
          `${before.descriptors} → ${after.descriptors}`,
        ],
      ],
    );
    expect(wrong).toEqual([]);
    expect(outcomes.broken).toEqual([]);
    expect(outcomes.through).toBeGreaterThan(0);
    expect(after.files).toEqual(before.files);
    expect(after.processes.length, after.processes.join("\n")).toBe(before.processes.length);
    expect(after.descriptors).toBeLessThanOrEqual(before.descriptors + 20);
  });
});

/** Whoever was killed last is back, and no push goes on whose client was cut off. */
async function isQuiet(server: TestServer, names: string[]): Promise<boolean> {
  if (!(await server.isUp()) || server.runs(/receive-pack/)) return false;
  const asking = names.map((name) => server.get(name).catch(() => undefined));
  return (await Promise.all(asking)).every((answer) => answer?.status === 200);
}

/** Where the branch, the record and what is served are not of one mind. */
async function differing(
  server: TestServer,
  workspace: Workspace,
  name: string,
): Promise<string | undefined> {
  const commit = await workspace.remoteCommit();
  const text = (await workspace.git("log", "-1", "--format=%s", commit)).output.trim();
  const due = text === "The first commit" ? `${name} 0` : text;
  const releases = await server.command("releases", { app: name });
  const record = releases.find(({ live }) => live)?.commit;
  const { body } = await server.get(name);
  if (body === due && record === commit) return undefined;
  return `${name}: ref ${commit} (${due}), record ${record ?? "none"}, served ${body}`;
}

/** A commit of its own on top of nothing: several push to the same app at once. */
async function pushOne(
  workspace: Workspace,
  text: string,
): Promise<{ exitCode: number; output: string }> {
  const commit = await workspace.commitBeside(plainApp(text), text);
  return workspace.push(`+${commit}:main`);
}

/** Whoever was killed several times is started again after a pause, which grows: until then a push is refused. */
async function pushUntilThrough(
  workspace: Workspace,
  text: string,
): Promise<{ exitCode: number; output: string }> {
  for (const end = Date.now() + 60_000; ;) {
    const push = await pushOne(workspace, text);
    if (push.exitCode === 0 || Date.now() > end) return push;
    await new Promise((resolve) => setTimeout(resolve, 1000));
  }
}

/** Kills one of reeve's processes again and again. */
class Reaper {
  readonly #timer: NodeJS.Timeout;
  #deaths = 0;

  constructor(server: TestServer) {
    this.#timer = setInterval(() => {
      const mortal = processesUnder(server.home).filter(({ title }) =>
        /main\.js (agent|front)|emperor\.ini|nginx: master|receive-pack|hooks\//.test(title),
      );
      const victim = mortal[Math.floor(Math.random() * mortal.length)];
      if (victim && kill(victim.pid)) this.#deaths += 1;
    }, between);
  }

  end(): number {
    clearInterval(this.#timer);
    return this.#deaths;
  }
}

function look(server: TestServer): { files: string[]; processes: string[]; descriptors: number } {
  const folders = ["etc/vassals", "etc/nginx/sites-available", "run/sockets", "lib/links"];
  const running = processesUnder(server.home);
  const open = running
    .filter(({ title }) => /main\.js (agent|front)/.test(title))
    .map(({ pid }) => readdirSync(`/proc/${pid}/fd`).length);
  return {
    files: folders.flatMap((folder) => readdirSync(server.path(folder))).sort(),
    processes: running.map(({ title }) => title),
    descriptors: open.reduce((sum, count) => sum + count, 0),
  };
}
