import type { Answered } from "../../system/probe.ts";
import { isAlive, type ProcessId } from "../../system/processes.ts";
import { waitFor } from "../../system/clock.ts";
import { hasTraceback, lengthOfLog, logSince } from "./app-log.ts";

// An app that raises after start_response('200 OK', …) is answered for by uWSGI all the same: with 200, and as much
// of a body as there was. Of an answer that says its length it shows that the rest is missing. Of any other only
// uWSGI knows.

/** Milliseconds for uWSGI's words, which come at once (measured: 2 ms) unless its log goes elsewhere. */
const timeout = 300;

/**
 * Whether an answer of a vassal that nobody else has asked was cut short by an exception. Asked is only where one
 * cannot be ruled out: the answer is empty, or its end is unsaid and a traceback came to the log, which may as well
 * be of one that the app caught itself.
 */
export async function wasCutShort(
  answer: Answered,
  { path, from }: { path: string; from: number },
  findWorkers: () => Promise<ProcessId[]>,
): Promise<boolean> {
  if (answer.body === "whole") return false;
  if (answer.body === "unsaid" && !hasTraceback(await logSince(path, from))) return false;
  return (await countExceptions(await findWorkers(), path)) > 0;
}

/**
 * What the workers have counted since they started. On SIGUSR1 each writes that into the log (uWSGI core/uwsgi.c,
 * stats); the master would write its whole configuration as well. 0 where no word comes.
 */
async function countExceptions(workers: ProcessId[], log: string): Promise<number> {
  const from = await lengthOfLog(log);
  let asked = 0;
  for (const worker of workers) if ((await isAlive(worker)) && askToCount(worker)) asked += 1;
  let counted = 0;
  const haveSaid = async (): Promise<boolean> => {
    const lines = await logSince(log, from);
    counted = sumOf(lines);
    return counted > 0 || lines.filter((line) => line === endOfReport).length >= asked;
  };
  await waitFor(haveSaid, { within: timeout, every: 2 });
  return counted;
}

function askToCount(worker: ProcessId): boolean {
  try {
    return process.kill(worker.pid, "SIGUSR1");
  } catch {
    // It ended between the look and the signal.
    return false;
  }
}

const report = /^\s+app \d+ \[.*\] requests: \d+ exceptions: (\d+)$/;

const endOfReport = "-".repeat(17);

function sumOf(lines: string[]): number {
  return lines.reduce((sum, line) => sum + Number(report.exec(line)?.[1] ?? 0), 0);
}
