import { chmodSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { spawn } from "node:child_process";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { printTable } from "../../bench/table.ts";
import { eventually } from "../support/server.ts";
import { isLong, Stage } from "./stage.ts";

/** The calls by which a deploy changes what is on disk. */
const changing = ["rename", "unlink", "symlink", "fsync"];

interface Fault {
  name: string;
  /** strace(1), `inject`. */
  inject: string;
  calls: string[];
}

const death: Fault = { name: "killed", inject: "signal=KILL", calls: changing };
const refusals: Fault[] = [
  { name: "ENOSPC", inject: "error=ENOSPC", calls: [...changing, "mkdir", "pwrite64", "write"] },
  { name: "EROFS", inject: "error=EROFS", calls: [...changing, "mkdir", "openat"] },
  { name: "EMFILE", inject: "error=EMFILE", calls: ["openat", "socket", "pipe2"] },
  { name: "ENOMEM", inject: "error=ENOMEM", calls: [...changing, "openat", "clone3", "clone"] },
];

/** Calls that come by the hundred: every so many of them, and not beyond the settling of one deploy. */
const many: Record<string, number> = { openat: 23, pwrite64: 17, write: 37, socket: 11 };
/** In `npm test` only two calls of the first kind, with one of the errors. */
const stride = isLong ? 1 : 4;
/** `ROUNDS=fault@call` tries those whose names hold these words; `ROUNDS=all` everything. */
const [fault = "", call = ""] = (process.env["ROUNDS"] ?? "").replace(/^all$/, "").split("@");
const named = { fault, call };
const tried = (isLong ? refusals : refusals.slice(0, 1)).filter(({ name }) =>
  name.includes(named.fault),
);

describe("one of the agent's calls", () => {
  let stage: Stage;
  const tools = mkdtempSync(join(tmpdir(), "reeve-shim-"));
  const rows: string[][] = [];

  beforeAll(async () => {
    // strace counts for each thread: with one of them for files, the count says which call it was.
    writeFileSync(
      join(tools, "setpriv"),
      '#!/bin/sh\nexport UV_THREADPOOL_SIZE=1 UV_USE_IO_URING=0\nexec /usr/bin/setpriv "$@"\n',
    );
    chmodSync(join(tools, "setpriv"), 0o755);
    chmodSync(tools, 0o755);
    stage = await Stage.open({ PATH: `${tools}:${process.env["PATH"] ?? ""}` });
  });
  afterAll(async () => {
    await stage.close();
    rmSync(tools, { recursive: true, force: true });
    printTable(["fault", "at call", "which", "push", "after"], rows);
  });

  it.runIf(death.name.includes(named.fault))(
    "is its last, at every one of them, and everything is whole again",
    async () => {
      await everyCall(stage, rows, death);
    },
  );

  it.each(tried)("fails with $name, and the pusher is told so", async (fault) => {
    await everyCall(stage, rows, fault);
  });
});

async function everyCall(stage: Stage, rows: string[][], fault: Fault): Promise<void> {
  const problems: string[] = [];
  const calls = fault.calls.filter((name) => name.includes(named.call));
  for (const call of isLong ? calls : calls.slice(0, 1)) {
    const step = (many[call] ?? 1) * stride;
    const end = isLong ? (many[call] === undefined ? Infinity : 12 * step) : 2 * step;
    for (let at = isLong ? 1 : 3; at < end; at += step) {
      const { row, problem } = await oneCall(stage, fault, call, at);
      if (!row) break;
      rows.push(row);
      process.stdout.write(`${row.join("  ")}\n`);
      if (problem) problems.push(problem);
    }
  }
  const next = await stage.pushAgain();
  expect(problems.join("\n\n")).toBe("");
  expect(next.exitCode, next.output).toBe(0);
  expect(next.served).toBe(next.text);
}

/** No row: a deploy has no such call any more. */
async function oneCall(
  stage: Stage,
  fault: Fault,
  call: string,
  at: number,
): Promise<{ row?: string[]; problem?: string }> {
  await stage.refresh();
  await stage.come();
  const { push, hit } = await pushUnder(stage, fault, call, at);
  if (hit && fault === death) stage.fell();
  await stage.back();
  const wrong = [...(await stage.whole(75_000)), ...stage.halfFiles()];
  const failed = await stage.leave();
  wrong.push(...failed.demo, ...failed.other);
  if (!hit) return {};
  if (push.output.includes("INTERNAL")) wrong.push("called a mistake of reeve's");
  if (push.exitCode !== 0 && !/error\[[A-Z_]+\]/.test(push.output)) wrong.push("no reason said");
  const said = /error\[([A-Z_]+)\]/.exec(push.output)?.[1] ?? "";
  const told = `exit ${push.exitCode} ${said}`;
  const row = [fault.name, `${call} ${at}`, hit, told, wrong.join("; ") || "whole"];
  if (wrong.length === 0) return { row };
  return { row, problem: `${row.join("  ")}\n${push.output}` };
}

/** A push while the agent's `at`-th call of this kind meets the fault; `hit`: with what, if it came to that. */
async function pushUnder(
  stage: Stage,
  fault: Fault,
  call: string,
  at: number,
): Promise<{ push: { exitCode: number; output: string }; hit: string | undefined }> {
  await stage.nextCommit();
  const strace = await attach(stage.server.servicePid("agent"), fault, call, at);
  const push = await stage.demo.push("+HEAD:main");
  // Whatever comes after the push is hit as well, until all is settled.
  const find = (): string | undefined => /^.*(?:INJECTED|= \?).*$/m.exec(strace.said())?.[0];
  await eventually(async () => find() !== undefined || (await stage.isSettled()), 20_000).catch(
    () => undefined,
  );
  await strace.end();
  return { push, hit: find() && lastCall(strace.said(), call) };
}

/** What the call that met the fault was about: its file, or its last words. */
function lastCall(said: string, call: string): string {
  const until = said.search(/INJECTED|= \?/);
  const words = said.slice(said.lastIndexOf(`${call}(`, until), until).split("\n")[0] ?? "";
  const file = words.split('"').at(-2)?.split("/").at(-1);
  return file === undefined || file === "" ? words.slice(0, 40).trim() : file;
}

async function attach(
  agent: number,
  { inject }: Fault,
  call: string,
  at: number,
): Promise<{ said: () => string; end: () => Promise<void> }> {
  // Its threads and not what it starts: git and the installers are others' affair.
  const threads = readdirSync(`/proc/${agent}/task`).map((thread) => `--attach=${thread}`);
  const words = [
    ...threads,
    "-s",
    "300",
    "-e",
    `trace=${call}`,
    "-e",
    `inject=${call}:${inject}:when=${at}`,
  ];
  const strace = spawn("strace", words, { stdio: ["ignore", "ignore", "pipe"] });
  let said = "";
  strace.stderr.on("data", (chunk: Buffer) => (said += chunk.toString()));
  await eventually(() => said.split(" attached").length > threads.length);
  const gone = new Promise<void>((resolve) => strace.once("exit", () => resolve()));
  return {
    said: () => said,
    end: async () => {
      strace.kill("SIGINT");
      // It waits for threads that were killed with their process and that nobody reaps.
      const hung = setTimeout(() => strace.kill("SIGKILL"), 2000);
      await gone;
      clearTimeout(hung);
    },
  };
}
