import { existsSync, readdirSync, readlinkSync } from "node:fs";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { printTable } from "../../bench/table.ts";
import { embeddedLayout } from "../../src/config/layout.ts";
import { emperorOf, listVassals } from "../../src/agent/vassal/emperor.ts";
import { plainApp } from "../support/apps.ts";
import { kill } from "../support/processes.ts";
import { eventually, type TestServer } from "../support/server.ts";
import { withServer, withWorkspace } from "../support/with-server.ts";
import { carried, hold, prepareToHold, release } from "./held.ts";
import { chosen, killTree, receiver, supervised, victims } from "./victims.ts";

const preview = "shop--demo";
/** Seconds that a removal may take when nothing is killed, on a machine that does other things as well. */
const promptly = 5;
/** Milliseconds after a push in which what it left undone is done. */
const settling = 4000;

interface Moment {
  name: string;
  /** Over in a moment, which is held until somebody was killed. */
  held?: string;
  isReached: (server: TestServer, said: string) => boolean;
}

const inis = (server: TestServer, kind: string): string[] =>
  readdirSync(server.path("etc/vassals")).filter(
    (name) => name.startsWith(`${preview}.${kind}-`) && name.endsWith(".ini"),
  );
const has = (server: TestServer, ...path: string[]): boolean => existsSync(server.path(...path));
const site = `etc/nginx/sites-enabled/${preview}.conf`;

const making: Moment[] = [
  ...Object.values(carried),
  { name: "checked out", isReached: (_, said) => / checkout +checked/.test(said) },
  { name: "environment there", isReached: (_, said) => / environment +/.test(said) },
  { name: "understudy boots", isReached: (server) => inis(server, "next").length > 0 },
  { name: "proven", isReached: (_, said) => / health +healthy/.test(said) },
  { name: "vhost made", isReached: (server) => has(server, site) },
  {
    name: "live",
    held: "was answered hooks/post-receive",
    isReached: (_, said) => / live +http/.test(said),
  },
  { name: "its vassal on demand stands", isReached: (server) => inis(server, "rel").length > 0 },
  {
    name: "pointed at its vassal on demand",
    isReached: (server) => {
      const link = server.path("lib/links", preview, "socket");
      return existsSync(link) && readlinkSync(link).includes(".rel-");
    },
  },
];
const removing: Moment[] = [
  ...Object.values(carried),
  { name: "vhost gone", isReached: (server) => !has(server, site) },
  { name: "vassal gone", isReached: (server) => inis(server, "rel").length === 0 },
  { name: "log gone", isReached: (server) => !has(server, "log/apps", `${preview}.log`) },
  { name: "variables gone", isReached: (server) => !has(server, "etc/apps", preview) },
  { name: "folder gone", isReached: (server) => !has(server, "srv", preview) },
];

const isEmperorBack = (server: TestServer): Promise<boolean> =>
  listVassals(emperorOf(embeddedLayout(server.home))).then(
    () => true,
    () => false,
  );

/**
 * Everything of a server's that a preview's name is in, and what runs; after a removal its environment as well,
 * which one that never came to stand leaves to its next push.
 */
function traces(server: TestServer, what: string): string[] {
  const folders = [
    ...["srv", "etc/apps", "etc/vassals", "etc/nginx/sites-available", "etc/nginx/sites-enabled"],
    ...["lib/links", "run/sockets", "log/apps", "lib/repositories/demo.git/refs/reeve/releases"],
  ];
  const named = folders.flatMap((folder) =>
    entries(server, folder).filter((name) => name.includes(preview)),
  );
  const environments = entries(server, "srv/demo/preview-envs").filter(
    (name) => what === "removed" && !name.split("/").at(-1)?.startsWith("."),
  );
  const pinned = has(server, "lib/repositories/demo.git/packed-refs")
    ? server.read("lib/repositories/demo.git/packed-refs").match(/refs\/reeve\/releases\/shop--.*/g)
    : [];
  const running = server.processesOf(preview).map((pid) => `process ${pid}`);
  return [...named, ...environments, ...(pinned ?? []), ...running];
}

const entries = (server: TestServer, folder: string): string[] =>
  has(server, folder) ? readdirSync(server.path(folder)).map((name) => `${folder}/${name}`) : [];

/** What the record says of the preview: its newest deploy that was not refused, and what has no end yet. */
async function recorded(server: TestServer): Promise<{ last: string; unfinished: number }> {
  const deploys = await server
    .command("deploys", { app: "demo", limit: 20 })
    .catch(() => [{ instance: preview, state: "unknown", newCommit: "" }]);
  const own = deploys.filter(({ instance }) => instance === preview);
  const [last] = own.filter(({ state }) => state !== "refused");
  const isUnfinished = (state: string): boolean => !["live", "removed", "refused"].includes(state);
  return {
    last: last?.state === "live" ? last.newCommit : (last?.state ?? "removed"),
    unfinished: own.filter(({ state }) => isUnfinished(state)).length,
  };
}

describe("kill -9", () => {
  const server = withServer();
  const demo = withWorkspace(server, "demo", plainApp("demo"));
  let turn = 0;
  let falls = 0;
  const rows: string[][] = [];

  beforeAll(async () => {
    prepareToHold(server);
    await demo.push();
    await server.settled("demo");
  });
  afterAll(() =>
    printTable(
      ["of", "while", "at", "push", "whole after", "then it is", "next push", "removal"],
      rows,
    ),
  );

  const nextCommit = async (): Promise<string> => {
    const text = `turn ${++turn}`;
    demo.write({ ...plainApp(text, { importFor: 0.2 }), "requirements.txt": `# ${text}\n` });
    await demo.commit(text);
    return text;
  };

  /**
   * The branch is there, answers with its commit's text and is what the record says; or it is not there, nothing
   * else is, and the record says that it was removed.
   */
  const whole = async (what: string): Promise<string> => {
    let found = "";
    await eventually(async () => {
      const branch = await demo.remoteCommit("refs/heads/shop").catch(() => "unknown");
      const answer = await server.get(preview).catch(() => ({ status: 0, body: "" }));
      const { output } = await demo.git("log", "-1", "--format=%s", branch || "HEAD").catch(() => ({
        output: "unknown",
      }));
      const { last, unfinished } = await recorded(server);
      const left = traces(server, what);
      const isThere =
        branch !== "" && answer.status === 200 && answer.body === output.trim() && last === branch;
      const isGone =
        branch === "" && answer.status === 404 && left.length === 0 && last === "removed";
      const is = isThere ? "there" : isGone ? "gone" : "";
      found =
        is !== "" && unfinished === 0
          ? is
          : `branch ${branch}, answer ${answer.status} ${answer.body}, record ${last}, ${unfinished} unfinished, ${left.join(" ")}`;
      return found === is;
    }, 40_000).catch(() => undefined);
    return found;
  };

  /** A preview that is whole settles as well: its vassal on demand alone is left. */
  const rested = async (state: string): Promise<void> => {
    if (state === "there") await server.asleepAfterPush(preview);
  };

  const seconds = async (work: () => Promise<unknown>): Promise<number> => {
    const began = performance.now();
    await work();
    return (performance.now() - began) / 1000;
  };

  /** Before the supervisor's pauses between two starts grow long, all of it is started anew. */
  const refresh = async (): Promise<void> => {
    if (falls < 3) return;
    falls = 0;
    await server.interrupt();
    await server.up();
    prepareToHold(server);
  };

  const pushAndKill = async (refspec: string, victim: string, moment: Moment) => {
    hold(server, moment);
    const push = demo.start("push", "deploy", refspec);
    let said = "";
    push.all.on("data", (chunk: Buffer) => (said += chunk.toString()));
    const ending = new AbortController();
    void push.then(() => ending.abort());
    let killed = false;
    // What settles comes after the push.
    for (let end = Infinity; performance.now() < end;) {
      if (moment.isReached(server, said)) {
        const pid = victims[victim]!(server, ending.signal.aborted ? 0 : (push.pid ?? 0));
        killed = pid > 0 && kill(pid);
        break;
      }
      if (ending.signal.aborted) end = Math.min(end, performance.now() + settling);
      await new Promise((resolve) => setTimeout(resolve, 2));
    }
    release(server);
    const hung = setTimeout(() => {
      said += "\nthe client hung\n";
      killTree(push.pid ?? 0);
    }, 30_000);
    await push;
    clearTimeout(hung);
    if (killed && supervised.includes(victim)) falls += 1;
    // The push of a client that was killed goes on.
    await eventually(() => receiver(server) === 0, 20_000);
    await eventually(() => server.isUp(), 30_000);
    // A push that comes before the Emperor is back is refused, and says so.
    await eventually(() => isEmperorBack(server), 30_000);
    return { said, killed };
  };

  const round = async (victim: string, what: string, moment: Moment): Promise<void> => {
    await refresh();
    await nextCommit();
    if (what === "removed") {
      await demo.push("HEAD:shop");
      await server.asleepAfterPush(preview);
    }
    const refspec = what === "removed" ? ":shop" : "+HEAD:shop";
    let push = { said: "", killed: false };
    const took = await seconds(async () => (push = await pushAndKill(refspec, victim, moment)));
    let state = "";
    const wholeAfter = await seconds(async () => (state = await whole(what)));
    await rested(state);
    await nextCommit();
    const next = await demo.push("+HEAD:shop");
    const answered = await whole("made");
    // A removal waits for what is settling.
    await server.asleepAfterPush(preview);
    let gone = { exitCode: -1, output: "" };
    const removal = await seconds(async () => (gone = await demo.push(":shop")));
    const left = await whole("removed");
    const row = [
      ...[victim, what, push.killed ? moment.name : `${moment.name}: not there`],
      `${took.toFixed(1)} s`,
      `${wholeAfter.toFixed(1)} s`,
      state,
      `${next.exitCode}, ${answered}`,
      `${removal.toFixed(1)} s, ${left}`,
    ];
    rows.push(row);
    process.stdout.write(`${row.join("  ")}\n`);

    expect(state, push.said).toMatch(/^(there|gone)$/);
    expect(push.said).not.toMatch(/INTERNAL|the client hung/);
    expect(next.exitCode, next.output).toBe(0);
    expect(answered, server.said).toBe("there");
    expect(gone.exitCode, gone.output).toBe(0);
    expect(left, server.said).toBe("gone");
    expect(removal).toBeLessThan(promptly);
  };

  it.each(chosen(making.map(({ name }) => name)))(
    "of the %s while a preview is made, at: %s",
    async (victim, name) =>
      round(
        victim,
        "made",
        making.find((one) => one.name === name)!,
      ),
  );

  it.each(chosen(removing.map(({ name }) => name)))(
    "of the %s while a preview is removed, at: %s",
    async (victim, name) =>
      round(
        victim,
        "removed",
        removing.find((one) => one.name === name)!,
      ),
  );
});
