import { stat, type FileHandle } from "node:fs/promises";
import { milliseconds, sleep, waitFor } from "../../system/clock.ts";
import { openForeign, readAt } from "../../system/files.ts";
import { LineSplitter, printable } from "../../system/lines.ts";
import type { End } from "../vassal/app-log.ts";
import { betweenRotations, putAsideOf, type PutAside } from "../vassal/rotation.ts";

/** From where on, and how long a line may be. */
interface Following extends Omit<End, "tail"> {
  log: string;
  longest: number;
}

/** Milliseconds between two looks at a log that is followed. */
const every = 200;
const chunkLength = 64 * 1024;
/** Bytes that may come between two looks: a log that was made longer by a hole is not read through. */
const mostBehind = 8 * 1024 * 1024;

/** Says every line that is added to a log, whatever logrotate does to it. */
export async function followLog(
  { log, length, newest, longest }: Following,
  say: (line: string) => void,
  gone: AbortSignal,
): Promise<void> {
  const splitter = new LineSplitter((line) => say(printable(line)), longest);
  let from: Place = { position: length, newest };
  let path = log;
  while (!gone.aborted) {
    const file = await opened(path, gone);
    if (!file) return;
    const { ino } = await file.stat();
    const following = followFile({ log, file, ino, from }, { splitter, say, gone });
    const last = await following.finally(() => file.close());
    from = { position: 0, newest: last.newest };
    path = await nextOf(log, ino);
  }
}

async function opened(path: string, gone: AbortSignal): Promise<FileHandle | undefined> {
  const look = async (): Promise<FileHandle | "gone" | undefined> =>
    gone.aborted ? "gone" : openForeign(path);
  const file = await waitFor(look, { within: Infinity, every });
  return file === "gone" ? undefined : file;
}

/** The file that took the name of this one: it may have been renamed as well since. */
async function nextOf(log: string, ino: number): Promise<string> {
  const all = await putAsideOf(log);
  return all[all.findIndex((aside) => aside.ino === ino) - 1]?.path ?? log;
}

/** How far it was read, and what had been put aside then. */
interface Place {
  position: number;
  newest: number;
}

interface Saying {
  splitter: LineSplitter;
  say: (line: string) => void;
  gone: AbortSignal;
}

/** A log by the file that has its name, or had it. */
interface Held {
  log: string;
  file: FileHandle;
  ino: number;
}

/** Resolves when another file has the log's name, and nothing more comes to this one. */
async function followFile(
  { from, ...held }: Held & { from: Place },
  { splitter, say, gone }: Saying,
): Promise<Place> {
  let place = from;
  let heard = milliseconds();
  while (!gone.aborted) {
    const { bytes, skipped, ...next } = await betweenRotations(held.log, (newest) =>
      look(held, place, newest),
    );
    place = next;
    if (skipped > 0) say(`(${skipped} bytes came at once, of which these are the last)`);
    splitter.write(bytes);
    if (bytes.length > 0) heard = milliseconds();
    else if (await isOver(held, milliseconds() - heard)) break;
    else await sleep(every);
  }
  return place;
}

/** Milliseconds without a word. Whoever writes to a file that was renamed is told so soon, and goes to the new one. */
const quiet = 2000;
const longQuiet = 60_000;

async function isOver({ log, ino }: Held, silence: number): Promise<boolean> {
  if (silence < quiet) return false;
  const current = await stat(log).catch(() => undefined);
  if (!current || current.ino === ino) return false;
  return current.size > 0 || silence > longQuiet;
}

interface Look extends Place {
  bytes: Buffer;
  /** How many were left out. */
  skipped: number;
}

/** What has come since; nothing of this is so if the log is rotated meanwhile. */
async function look(held: Held, last: Place, newest: number): Promise<Look> {
  const moved = newest === last.newest ? [] : await movedSince(held, last.newest);
  const cut = moved.reduce((sum, { size }) => sum + size, 0);
  if (cut > last.position) {
    // What stands there of what was not read yet.
    const bytes = await readRest(moved, Math.min(cut - last.position, mostBehind));
    return { bytes, position: 0, newest, skipped: cut - last.position - bytes.length };
  }
  const { size } = await held.file.stat();
  // One that is shorter was emptied by somebody: what comes now begins anew.
  const position = size < last.position - cut ? 0 : last.position - cut;
  const skipped = size - position > mostBehind ? size - position - chunkLength : 0;
  const bytes = await readAt(held.file, position + skipped, chunkLength);
  return { bytes, position: position + skipped + bytes.length, newest, skipped };
}

/** What was cut off of the log since this was put aside; of one that was renamed nothing was. */
async function movedSince({ log, ino }: Held, known: number): Promise<PutAside[]> {
  const all = await putAsideOf(log);
  if (all.some((aside) => aside.ino === ino)) return [];
  const last = all.findIndex((aside) => aside.ino === known);
  return last === -1 ? all : all.slice(0, last);
}

/** The last bytes of what was put aside, the newest of which is the first. */
async function readRest(asides: PutAside[], most: number): Promise<Buffer> {
  const parts: Buffer[] = [];
  let left = most;
  for (const { path, size } of asides) {
    if (left === 0) break;
    const file = await openForeign(path);
    if (!file) continue;
    const length = Math.min(left, size);
    parts.unshift(await readAt(file, size - length, length).finally(() => file.close()));
    left -= length;
  }
  return Buffer.concat(parts);
}
