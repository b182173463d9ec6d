import { constants } from "node:fs";
import { open } from "node:fs/promises";
import { printable } from "../host/lines.ts";

const mostBytes = 64 * 1024;
const mostLines = 40;

/** The end of an app's log, without following a link: the file is the app's own to write. */
export async function tailOfLog(path: string, lines: number): Promise<string[]> {
  const file = await open(path, constants.O_RDONLY | constants.O_NOFOLLOW).catch(() => undefined);
  if (!file) return [];
  try {
    const { size } = await file.stat();
    const length = Math.min(size, mostBytes);
    const buffer = Buffer.alloc(length);
    await file.read(buffer, 0, length, size - length);
    return buffer.toString("utf8").trimEnd().split("\n").slice(-lines).map(printable);
  } finally {
    await file.close();
  }
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
