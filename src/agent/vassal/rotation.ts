import { lstat, readdir } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { isDeepStrictEqual } from "node:util";
import { milliseconds, waitFor } from "../../system/clock.ts";
import { removeFile } from "../../system/files.ts";

// logrotate rotates the logs, by deploy/reeve.logrotate. Of an app's log it puts a copy aside and cuts off of the log's
// own beginning what stands in that; an access log is renamed, and another one takes its place.

/** As many as are kept. */
const mostPutAside = 14;

export interface PutAside {
  path: string;
  ino: number;
  size: number;
}

/** What was put aside of a log, the newest first; there may be gaps. */
export async function putAsideOf(log: string): Promise<PutAside[]> {
  let seen = await lookAside(log);
  for (;;) {
    // While logrotate renames one after the other, a look may find one of them twice and miss another.
    const again = await lookAside(log);
    if (isDeepStrictEqual(again, seen)) return seen;
    seen = again;
  }
}

async function lookAside(log: string): Promise<PutAside[]> {
  const paths = Array.from({ length: mostPutAside }, (_, index) => `${log}.${index + 1}`);
  const found = await Promise.all(
    paths.map(async (path) => {
      const stats = await lstat(path).catch(() => undefined);
      return stats?.isFile() ? [{ path, ino: stats.ino, size: stats.size }] : [];
    }),
  );
  return found.flat();
}

/** By its inode; 0: none. */
async function newestPutAside(log: string): Promise<number> {
  const first = await lstat(`${log}.1`).catch(() => undefined);
  return first?.ino ?? (await putAsideOf(log))[0]?.ino ?? 0;
}

function markOf(log: string): string {
  return `${log}.rotating`;
}

/** Milliseconds after which whoever rotated it is taken for dead. */
const forgotten = 60_000;

/** From before the copy is made until the log is cut. */
async function isRotating(log: string): Promise<boolean> {
  const mark = await lstat(markOf(log)).catch(() => undefined);
  return mark !== undefined && Date.now() - mark.ctimeMs < forgotten;
}

/** Milliseconds for which somebody may be kept waiting by rotations that follow each other without a pause. */
const longest = 60_000;

/** Reads a log and what was put aside of it as they belong together: anew where it was rotated meanwhile. */
export async function betweenRotations<T>(
  log: string,
  read: (newest: number) => Promise<T>,
): Promise<T> {
  const end = milliseconds() + longest;
  for (;;) {
    await waitFor(async () => !(await isRotating(log)), { within: forgotten, every: 5 });
    const newest = await newestPutAside(log);
    // What is put aside just now is longer than it will be.
    if ((await isRotating(log)) && milliseconds() < end) continue;
    const result = await read(newest);
    const isSame = !(await isRotating(log)) && (await newestPutAside(log)) === newest;
    if (isSame || milliseconds() > end) return result;
  }
}

/** With all that was put aside of it, however much is kept; the log last: what a crash leaves is found by its name. */
export async function removeLog(log: string): Promise<void> {
  const [folder, name] = [dirname(log), basename(log)];
  const isAside = (other: string): boolean =>
    other.startsWith(`${name}.`) && /^\d+$/.test(other.slice(name.length + 1));
  const aside = (await readdir(folder)).filter(isAside);
  for (const path of [...aside.map((other) => join(folder, other)), markOf(log), log])
    await removeFile(path);
}
