import { constants } from "node:fs";
import type { FileHandle } from "node:fs/promises";
import { sleep } from "../../system/clock.ts";
import { openForeign, readAt, removeFile } from "../../system/files.ts";
import type { Identity } from "../../system/system.ts";
import { printable } from "../../system/lines.ts";
import { Turns } from "../../system/turns.ts";
import { betweenRotations, putAsideOf } from "./rotation.ts";
import { linesSince, requestsSince } from "./log-times.ts";

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

/** How many of a log's last lines are wanted, and of which time: milliseconds; undefined: of any. */
export interface Wanted {
  lines: number;
  since?: number | undefined;
}

/** Bytes in which a time is looked for. */
const mostSince = 4 * 1024 * 1024;

/** The end of an app's log. */
export async function tailOfLog(path: string, wanted: Wanted): Promise<string[]> {
  return wanted.lines === 0 ? [] : (await endOfLog(path, wanted)).tail;
}

/** What was read of a log, and where whoever follows it goes on. */
export interface End {
  tail: string[];
  /** The log's, then. */
  length: number;
  /** What was put aside of it last, by its inode. */
  newest: number;
}

async function endOfLog(path: string, { lines, since }: Wanted): Promise<End> {
  const most = since === undefined ? mostBytes : mostSince;
  const end = await readBack(path, most);
  const found = since === undefined ? end.lines : linesSince(end.lines, since, end.written);
  // Of which it is not known whether that was all.
  const left = since !== undefined && !end.isWhole && found.length === end.lines.length;
  const heading = left ? [`(what is older than the last ${most} bytes was not looked at)`] : [];
  return { ...end, tail: [...heading, ...tailOf(found, lines)] };
}

/** The end of an access log, by whole lines. */
export async function tailOfRequests(path: string, { lines, since }: Wanted): Promise<End> {
  const most = since === undefined ? mostBytes : mostSince;
  const end = await readBack(path, most);
  const whole = end.isWhole ? end.lines : end.lines.slice(1);
  const found = since === undefined ? whole : requestsSince(whole, since);
  return { ...end, tail: tailOf(found, lines).filter((line) => line !== "") };
}

interface ReadBack extends Omit<End, "tail"> {
  lines: string[];
  isWhole: boolean;
  /** Milliseconds. */
  written: number;
}

/** So many bytes from the end of a log backwards, through what was put aside of it: a line may begin there. */
function readBack(path: string, most: number): Promise<ReadBack> {
  return betweenRotations(path, async (newest) => {
    const own = await readEnd(path, { most, from: 0 });
    const parts = [own.bytes];
    let [left, isWhole] = [most - own.bytes.length, own.start === 0];
    for (const { path: aside } of await putAsideOf(path)) {
      if (!isWhole) break;
      const part = await readEnd(aside, { most: left, from: 0 });
      parts.unshift(part.bytes);
      left -= part.bytes.length;
      isWhole = part.start === 0;
    }
    return { ...own, lines: linesIn(Buffer.concat(parts)), isWhole, newest };
  });
}

function tailOf(found: string[], lines: number): string[] {
  return lines === 0 ? [] : found.slice(-lines).map(printable);
}

/** An app's log is read with those of its understudies, or takes one of them in: not both at once. */
const turns = new Turns();

/**
 * The end of an app's log and of its understudies', each line once, whichever of them it stands in by now; and what
 * length the app's had then.
 */
export function tailOfLogs(log: string, understudies: string[], wanted: Wanted): Promise<End> {
  return turns.run(log, async () => {
    const end = await endOfLog(log, wanted);
    const tails = [...end.tail];
    for (const path of understudies) tails.push(...(await tailOfLog(path, wanted)));
    return { ...end, tail: tailOf(tails, wanted.lines) };
  });
}

/** Bytes of a log in which a failed start is looked for. */
const mostOfStart = 1024 * 1024;

/** What has come to a log since it had this length. */
export async function logSince(path: string, from: number): Promise<string[]> {
  const { bytes } = await readEnd(path, { most: mostOfStart, from });
  return linesIn(bytes).map(printable);
}

/** What a vassal's ini has it say when its app is imported and it takes requests. */
const startedLine = "reeve: started";

/** Resolves to whether that has come to a log since it had this length; at the latest when `over` is aborted. */
export async function untilStarted(
  path: string,
  from: number,
  over: AbortSignal,
): Promise<boolean> {
  let seen: number | undefined;
  for (;;) {
    const isLast = over.aborted;
    const length = await lengthOfLog(path);
    if (length !== seen && (await logSince(path, from)).some((line) => line.endsWith(startedLine)))
      return true;
    if (isLast) return false;
    seen = length;
    await sleep(5);
  }
}

export async function lengthOfLog(path: string): Promise<number> {
  const file = await openForeign(path).catch(() => undefined);
  if (!file) return 0;
  return file
    .stat()
    .then(({ size }) => size)
    .finally(() => file.close());
}

/** With where that begins, the length that the log had then, and when it was written to: milliseconds. */
async function readEnd(
  path: string,
  { most, from }: { most: number; from: number },
): Promise<{ bytes: Buffer; start: number; length: number; written: number }> {
  const file = await openForeign(path).catch(() => undefined);
  if (!file) return { bytes: Buffer.alloc(0), start: 0, length: 0, written: 0 };
  try {
    const { size, mtimeMs } = await file.stat();
    // One that is shorter by now was emptied.
    const start = Math.max(size < from ? 0 : from, size - most);
    const bytes = await readAt(file, start, size - start);
    return { bytes, start, length: start + bytes.length, written: mtimeMs };
  } finally {
    await file.close();
  }
}

function linesIn(bytes: Buffer): string[] {
  return bytes.length === 0 ? [] : bytes.toString("utf8").trimEnd().split("\n");
}

/** Bytes of an understudy's log that are added to the app's: of what is longer, the end. */
const mostMerged = 8 * 1024 * 1024;
const chunkLength = 64 * 1024;

/** Adds the understudy's log to the vassal's. */
export function mergeLogs(from: string, into: string): Promise<void> {
  return turns.run(into, () => addLog(from, into));
}

/** With what was put aside of it, the oldest first. */
async function addLog(from: string, into: string): Promise<void> {
  for (const { path } of (await putAsideOf(from)).reverse()) await addFile(path, into);
  await addFile(from, into);
}

async function addFile(from: string, into: string): Promise<void> {
  const source = await openForeign(from);
  if (!source) return;
  try {
    const target = await openForAppending(into);
    await copyEnd(source, target).finally(() => target.close());
  } finally {
    await source.close();
  }
  await removeFile(from);
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

/** uWSGI's own words around an app's: true, but of no use to who wrote the app. */
const chatter =
  /^(\*\*\*|\[uWSGI\]|compiled with|os:|nodename:|machine:|clock source:|pcre jit|detected |current working|uWSGI running|your |lock engine:|limiting |thunder lock|uwsgi socket|Python version:|Python main|PEP 405|Set PythonHome|python threads|mapped |mounting |setgid\(\)|setuid\(\)|set additional group|chdir\(\)|chmod\(\)|chown\(\)|dropping root|spawned |SIGINT|SIGPIPE: |gracefully |Gracefully killing |subprocess |VACUUM|announcing |\[pid: |WSGI app \d|running "|reeve: started$|worker \d+ (buried|killed) |Respawned uWSGI |goodbye to uWSGI|uwsgi_response_|OSError: write error$|worker \d+ total requests: |\s+app \d+ \[.*\] requests: |-{17}$|--- no python application|[A-Z][a-z]{2} [A-Z][a-z]{2} [ \d]\d [\d:]{8} \d{4} - )/;
/** Of the chatter, what a worker that begins may say in the midst of a long line of another one's. */
const begun = 'running "print:reeve: started" (accepting1-once)...';
/** What uWSGI says of a failure that the app's own words have told, if it has any. */
const told = /^(unable to load app|DAMN ! )/;

/** Characters of a line that are shown. */
const longestLine = 500;
/** Lines behind a traceback that may belong to its message. */
const mostBehind = 8;

/** Lines in which the reason is looked for, from the end. */
const mostLooked = 20_000;

/** What a reader wants of a boot or an answer that failed: its last traceback, or else the app's last lines. */
export function reasonOfFailure(whole: string[]): string[] {
  const log = whole.slice(-mostLooked);
  // The Emperor has tried again meanwhile, with the same result.
  const [, again] = [...log.keys()].filter((index) => log[index]?.startsWith("Python version:"));
  const words = log
    .slice(0, again)
    .filter((line) => line.trim() !== "" && !chatter.test(line))
    .map((line) => shortened(line.replace(begun, "")));
  const own = withoutUnfinished(words.filter((line) => !told.test(line)));
  const last = lastTraceback(own);
  if (last === -1) return words.slice(-mostLines);
  const blocks = chainOf(own, last);
  // Of what is longer, the end: there it says what happened.
  const room = Math.floor(mostLines / blocks.length);
  return blocks.flatMap((block) => block.slice(-room));
}

export function hasTraceback(lines: string[]): boolean {
  return lines.some(isHeading);
}

function shortened(line: string): string {
  if (line.length <= longestLine) return line;
  const left = line.length - longestLine;
  return `${line.slice(0, longestLine - 100)} (${left} characters) ${line.slice(-100)}`;
}

/** An app that is asked again and again may be writing just now: the beginning of a traceback says less than the one before. */
function withoutUnfinished(lines: string[]): string[] {
  const start = lines.findLastIndex(isHeading);
  const rest = lines.slice(start);
  // Of a group of exceptions every line is indented, its message as well.
  const isUnfinished =
    rest[0]?.startsWith("Traceback") === true &&
    rest.every((line, at) => at === 0 || /^ {2}/.test(line));
  const before = lines.slice(0, start);
  return isUnfinished && before.some((_, at) => beginsTraceback(before, at)) ? before : lines;
}

/** A message may hold a traceback's first words as well; behind its own comes where it happened. */
function lastTraceback(lines: string[]): number {
  const whole = lines.findLastIndex((_, index) => beginsTraceback(lines, index));
  return whole === -1 ? lines.findLastIndex(isHeading) : whole;
}

function beginsTraceback(lines: string[], index: number): boolean {
  return isHeading(lines[index]) && isFrame(lines[index + 1]);
}

function isHeading(line = ""): boolean {
  return line.trimEnd().endsWith("Traceback (most recent call last):");
}

function isFrame(line = ""): boolean {
  return /^[ |+]/.test(line);
}

const chained =
  /^( *\| )?(During handling of the above exception|The above exception was the direct cause)/;
/** Exceptions that led to each other; what is before them is not told. */
const mostChained = 4;

/** The traceback that begins there, after those which led to it: each up to the next. */
function chainOf(lines: string[], last: number): string[][] {
  const starts = [last];
  for (let index = last - 1; index >= 0 && starts.length < mostChained; index -= 1) {
    if (!chained.test(lines[(starts[0] ?? last) - 1] ?? "")) break;
    if (beginsTraceback(lines, index)) starts.unshift(index);
  }
  return starts.map((start, at) => {
    const rest = lines.slice(start, starts[at + 1]);
    if (at + 1 < starts.length) return rest;
    const message = rest.findIndex((line, index) => index > 0 && !isFrame(line));
    return message === -1 ? rest : rest.slice(0, message + 1 + mostBehind);
  });
}
