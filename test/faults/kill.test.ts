import { readFileSync } from "node:fs";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { printTable } from "../../bench/table.ts";
import { kill } from "../support/processes.ts";
import { carried, hold, prepareToHold, release, type CarriedMoment } from "./held.ts";
import { isLong, Stage } from "./stage.ts";
import { carriers, chosen, killTree, supervised, victims } from "./victims.ts";

/** A moment of a deploy, in the order in which they come. */
interface Moment {
  name: string;
  /** Over in a moment, which is held until somebody was killed. */
  held?: string;
  /** Looked at every few milliseconds, with what the pusher was told so far. */
  isReached: (
    stage: Stage,
    push: { said: string; deploy: number; before: string | undefined },
  ) => boolean;
}

const inGitsHands = (moment: CarriedMoment): Moment => ({
  ...moment,
  isReached: ({ server }) => moment.isReached(server),
});

const moments: Moment[] = [
  inGitsHands(carried.taken),
  inGitsHands(carried.pushAsks),
  { name: "the deploy began", isReached: (_, { said }) => said.includes("reeve: demo") },
  { name: "checked out", isReached: (_, { said }) => / checkout +checked/.test(said) },
  {
    name: "environment half built",
    isReached: (stage, { said }) => /Using Python|Resolved|Installed/.test(said) && stage.has("."),
  },
  { name: "environment built", isReached: (_, { said }) => / environment +built/.test(said) },
  {
    name: "understudy boots",
    isReached: (stage, { deploy }) => stage.has(`etc/vassals/demo.next-${deploy}.ini`),
  },
  { name: "proven", isReached: (_, { said }) => / health +healthy/.test(said) },
  inGitsHands(carried.pushWasAnswered),
  inGitsHands(carried.refIsToMove),
  inGitsHands(carried.refMoves),
  {
    name: "switched",
    isReached: (stage, { deploy }) => stage.link().endsWith(`demo.next-${deploy}.sock`),
  },
  { name: "live", isReached: (_, { said }) => / live +http/.test(said) },
  {
    name: "the vassal is stopped",
    isReached: (stage, { said }) =>
      / live +http/.test(said) && stage.has("etc/vassals/demo.ini.held"),
  },
  {
    name: "the vassal is started anew",
    isReached: (stage, { said, before }) =>
      / live +http/.test(said) && ![before, undefined].includes(iniOf(stage)),
  },
  {
    name: "the traffic is back",
    isReached: (stage, { said, deploy }) =>
      / live +http/.test(said) &&
      stage.link().endsWith("/demo.sock") &&
      stage.has(`etc/vassals/demo.next-${deploy}.ini`),
  },
];

/** While the vassal is stopped its ini is held aside. */
function iniOf({ server }: Stage): string | undefined {
  try {
    return readFileSync(server.path("etc/vassals/demo.ini"), "utf8");
  } catch {
    return undefined;
  }
}

const inShort: [string, string][] = [
  ["agent", "switched"],
  ["front", "understudy boots"],
  ["git receive-pack", "the ref moves"],
  ["Emperor", "live"],
];
describe("kill -9", () => {
  let stage: Stage;
  const rows: string[][] = [];

  beforeAll(async () => {
    stage = await Stage.open();
  });
  afterAll(async () => {
    await stage.close();
    printTable(["killed", "when", "push", "took", "failed here", "failed beside", "after"], rows);
  });

  it.each(isLong ? chosen(moments.map(({ name }) => name)) : inShort)(
    "of the %s when %s",
    async (victim, moment) => {
      await stage.refresh();
      await stage.server.settled("demo");
      await stage.come();
      const began = performance.now();
      const { said, killed, isHeld, exitCode } = await pushAndKill(stage, victim, moment);
      const took = (performance.now() - began) / 1000;
      if (supervised.includes(victim) && killed) stage.fell();
      await stage.back();
      const wrong = await stage.whole();
      const failed = await stage.leave();
      const next = await stage.pushAgain();
      const row = [
        victim,
        moment,
        killed ? `exit ${exitCode}` : "not there",
        `${took.toFixed(1)} s`,
        String(failed.demo.length),
        String(failed.other.length),
        wrong.join("; ") || "whole",
      ];
      rows.push(row);
      process.stdout.write(`${row.join("  ")}\n`);

      expect(wrong, said).toEqual([]);
      if (!carriers.includes(victim)) expect(failed).toEqual({ demo: [], other: [] });
      expect(said).not.toMatch(/INTERNAL|the client hung/);
      if (exitCode === 0) expect(said).toMatch(/ live +http|on the air/);
      // What is supervised is always there, and what carries a push is for as long as a moment of it is held.
      if (supervised.includes(victim) || isHeld) expect(killed, said).toBe(true);
      // A push never waits for an agent that waits for the push.
      if (victim === "agent") expect(took, said).toBeLessThan(8);
      expect(next.exitCode, next.output).toBe(0);
      expect(next.served).toBe(next.text);
    },
  );
});

async function pushAndKill(
  stage: Stage,
  victim: string,
  name: string,
): Promise<{ said: string; killed: boolean; isHeld: boolean; exitCode: number }> {
  const { deploy } = await stage.nextCommit();
  const before = iniOf(stage);
  const moment = moments.find((one) => one.name === name)!;
  prepareToHold(stage.server);
  hold(stage.server, moment);
  const push = stage.demo.start("push", "deploy", "+HEAD:main");
  let said = "";
  push.all.on("data", (chunk: Buffer) => (said += chunk.toString()));
  const ending = new AbortController();
  void push.then(() => ending.abort());

  let killed = false;
  for (const end = Date.now() + 20_000; Date.now() < end;) {
    if (moment.isReached(stage, { said, deploy, before })) {
      const pid = victims[victim]!(stage.server, ending.signal.aborted ? 0 : (push.pid ?? 0));
      killed = pid > 0 && kill(pid);
      break;
    }
    if (ending.signal.aborted && !said.includes(" live ")) break;
    await new Promise((resolve) => setTimeout(resolve, 2));
  }
  release(stage.server);
  const hung = setTimeout(() => {
    said += "\nthe client hung\n";
    killTree(push.pid ?? 0);
  }, 60_000);
  const { exitCode } = await push;
  clearTimeout(hung);
  return { said, killed, isHeld: moment.held !== undefined, exitCode: exitCode ?? -1 };
}
