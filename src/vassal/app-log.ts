import { constants } from "node:fs";
import { rm } from "node:fs/promises";
import type { FileHandle } from "node:fs/promises";
import { openForeign, readAt } from "../host/files.ts";
import type { Identity } from "../host/host.ts";
import { printable } from "../host/lines.ts";

// An app's log is the app's own file, in a folder that is not: it may be of any length, full of holes, and
// another one a moment later. Whatever is read of it has an end that was set before.

const mostBytes = 64 * 1024;
const mostLines = 40;

/** The log must be there before the vassal, which has no right to make files in that folder. */
export async function provideLog(path: string, owner: Identity, isRoot: boolean): Promise<void> {
  const file = await openForAppending(path);
  try {
    if (isRoot) await file.chown(owner.uid, owner.gid);
  } finally {
    await file.close();
  }
}

/** The end of an app's log. */
export async function tailOfLog(path: string, lines: number): Promise<string[]> {
  if (lines === 0) return [];
  const file = await openForeign(path).catch(() => undefined);
  if (!file) return [];
  try {
    const { size } = await file.stat();
    const end = await readAt(file, Math.max(0, size - mostBytes), mostBytes);
    return end.toString("utf8").trimEnd().split("\n").slice(-lines).map(printable);
  } finally {
    await file.close();
  }
}

/** Bytes of an understudy's log that are added to the app's: of what is longer, the end. */
const mostMerged = 8 * 1024 * 1024;
const chunkLength = 64 * 1024;

/** Adds the understudy's log to the vassal's. */
export async function mergeLogs(from: string, into: string): Promise<void> {
  const source = await openForeign(from);
  if (!source) return;
  try {
    const target = await openForAppending(into);
    await copyEnd(source, target).finally(() => target.close());
  } finally {
    await source.close();
  }
  await rm(from, { force: true });
}

/** Up to where it ends now: it may grow as fast as it is read. */
async function copyEnd(source: FileHandle, target: FileHandle): Promise<void> {
  const { size } = await source.stat();
  const start = Math.max(0, size - mostMerged);
  if (start > 0)
    await target.appendFile(`(reeve left out the first ${start} bytes of what came here)\n`);
  for (let at = start; at < size; at += chunkLength) {
    const bytes = await readAt(source, at, Math.min(chunkLength, size - at));
    // A hole reads as zeros, which no log has.
    await target.appendFile(bytes.includes(0) ? bytes.filter((byte) => byte !== 0) : bytes);
  }
}

async function openForAppending(path: string): Promise<FileHandle> {
  const { O_CREAT, O_WRONLY, O_APPEND } = constants;
  const file = await openForeign(path, O_CREAT | O_WRONLY | O_APPEND);
  if (!file) throw new Error(`${path} went while it was opened`);
  return file;
}

/** uWSGI's own words around an app's traceback: true, but of no use to who wrote the app. */
const startupChatter =
  /^(\*\*\*|\[uWSGI\]|compiled with|os:|nodename:|machine:|clock source:|pcre jit|detected |current working|uWSGI running|your |lock engine:|limiting |thunder lock|uwsgi socket|Python version:|Python main|PEP 405|Set PythonHome|python threads|mapped |mounting |setgid\(\)|setuid\(\)|set additional group|chdir\(\)|dropping root|spawned |SIGINT|gracefully |subprocess |VACUUM|announcing |\[pid: )/;

/** What a reader wants of a boot that failed: its last traceback, or else the last lines that are the app's. */
export function reasonOfFailure(log: string[]): string[] {
  // The Emperor has tried again meanwhile, with the same result.
  const [, again] = [...log.keys()].filter((index) => log[index]?.startsWith("Python version:"));
  const boot = log.slice(0, again);
  const told = boot.filter((line) => line.trim() !== "" && !startupChatter.test(line));
  const traceback = told.findLastIndex((line) =>
    line.startsWith("Traceback (most recent call last)"),
  );
  if (traceback === -1) return told.slice(-mostLines);
  // uWSGI adds what the traceback has said already.
  const words = told.slice(traceback).filter((line) => !line.startsWith("unable to load app"));
  return words.slice(-mostLines);
}
