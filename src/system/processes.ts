import { readFileSync, statSync } from "node:fs";
import { readFile, readdir, readlink } from "node:fs/promises";
import { setImmediate } from "node:timers/promises";
import { hasCode } from "../errors.ts";
import { readIfPresent } from "./files.ts";
import { printable } from "./lines.ts";

/** A process that cannot be mistaken for a later one with the same number. */
export interface ProcessId {
  pid: number;
  /** Clock ticks after boot, field 22 of /proc/PID/stat (proc(5)). */
  startTime: number;
}

// What the kernel says of a process is read at once: it makes the text in less time than it takes to hand a read to
// another thread, and waits for nobody. Its arguments are in its own memory, which may make a reader wait.

/** The process with this number, or undefined where there is none (a zombie is none). */
export async function findProcess(pid: number): Promise<ProcessId | undefined> {
  const fields = await statOf(pid);
  if (!fields || fields[0] === "Z" || fields[0] === "X") return undefined;
  return { pid, startTime: startTimeOf(fields) };
}

/** The same of one that must be there, and may be a zombie; not awaited: nothing comes between. */
export function expectProcess(pid: number): ProcessId {
  return { pid, startTime: startTimeOf(fieldsOf(readFileSync(`/proc/${pid}/stat`, "utf8"))) };
}

/** Whether a SIGSTOP has taken effect on it. */
export async function isStopped(pid: number): Promise<boolean> {
  return (await statOf(pid))?.[0] === "T";
}

/** The fields of /proc/PID/stat from the third on, the state. */
async function statOf(pid: number): Promise<string[] | undefined> {
  const stat = await readProc(`${pid}/stat`);
  return stat === undefined ? undefined : fieldsOf(stat);
}

/** The command's name, in parentheses, may hold anything: the fields begin after the last one. */
function fieldsOf(stat: string): string[] {
  return stat.slice(stat.lastIndexOf(")") + 2).split(" ");
}

function startTimeOf(fields: string[]): number {
  return Number(fields[19]);
}

export async function isAlive(process: ProcessId): Promise<boolean> {
  return (await findProcess(process.pid))?.startTime === process.startTime;
}

export async function childrenOf(pid: number): Promise<number[]> {
  const text = await readProc(`${pid}/task/${pid}/children`);
  return (text ?? "").split(" ").filter(Boolean).map(Number);
}

const hangup = 1n;

/**
 * Whether the process has a handler for SIGHUP. A uWSGI worker ignores it until it is fully started,
 * so that a reload or a stop which comes earlier is lost (measured: docs/architecture.md).
 */
export async function catchesHangup(pid: number): Promise<boolean> {
  const status = await readProc(`${pid}/status`);
  const mask = /^SigCgt:\s*([0-9a-f]+)$/m.exec(status ?? "")?.[1];
  return mask !== undefined && (BigInt(`0x${mask}`) & (1n << (hangup - 1n))) !== 0n;
}

/** How many files a process that we start may be allowed to open: our own hard limit (proc(5), /proc/PID/limits). */
export async function mostOpenFiles(): Promise<number> {
  const limits = await readFile("/proc/self/limits", "utf8");
  const hard = /^Max open files +\S+ +(\d+)/m.exec(limits)?.[1];
  return hard === undefined ? Infinity : Number(hard);
}

/** The file that the process runs, or undefined where it is gone, or is not for us to look at. */
export async function programOf(pid: number): Promise<string | undefined> {
  return readlink(`/proc/${pid}/exe`).catch(() => undefined);
}

/** What `ps` calls the process; it may call itself what it likes. */
export async function nameOf(pid: number): Promise<string> {
  return printable((await readProc(`${pid}/comm`))?.trim() ?? "");
}

/** The first line of the process's arguments, as `ps` shows it. */
export async function titleOf(pid: number): Promise<string> {
  const words = await unlessGone(() => readFile(`/proc/${pid}/cmdline`, "utf8"));
  return (words ?? "").replaceAll("\0", " ").trim();
}

/**
 * The process whose number a program left in its pid file, or undefined where it does not run. `title`: the
 * number may be another's by now, since such a file outlives a power cut.
 */
export async function findByPidFile(path: string, title: RegExp): Promise<number | undefined> {
  const pid = Number(((await readIfPresent(path)) ?? "").trim());
  if (!(pid > 0) || !(await findProcess(pid))) return undefined;
  return title.test(await titleOf(pid)) ? pid : undefined;
}

/** Those of a user's processes that are not below this one: what was started for the user elsewhere, or was left by its parent. */
export async function straysOf(uid: number, below = 0): Promise<ProcessId[]> {
  const own: number[] = [];
  for (const [index, pid] of (await allPids()).entries()) {
    if ((await ownerOf(pid)) === uid && !(await isBelow(pid, below))) own.push(pid);
    // Others have their turn where there are thousands.
    if (index % atOnce === atOnce - 1) await setImmediate();
  }
  return (await Promise.all(own.map(findProcess))).filter((stray) => stray !== undefined);
}

/** 0 where there is no such process. */
export async function parentOf(pid: number): Promise<number> {
  return Number((await statOf(pid))?.[1] ?? 0);
}

async function isBelow(pid: number, ancestor: number): Promise<boolean> {
  if (pid === ancestor) return true;
  const parent = await parentOf(pid);
  return parent > 0 && isBelow(parent, ancestor);
}

export function ownerOf(pid: number): Promise<number | undefined> {
  return unlessGone(() => statSync(`/proc/${pid}`).uid);
}

async function allPids(): Promise<number[]> {
  return (await readdir("/proc")).filter((name) => /^\d+$/.test(name)).map(Number);
}

/** The working folders of all processes that we may look at. */
export async function workingFolders(): Promise<Set<string>> {
  const folders = await Promise.all(
    (await allPids()).map((pid) => readlink(`/proc/${pid}/cwd`).catch(() => undefined)),
  );
  return new Set(folders.filter((folder) => folder !== undefined));
}

/** Whether a process runs as this user, or could do so again; one that is dead already does not (proc(5), status). */
export async function hasProcesses(uid: number): Promise<boolean> {
  for (const [index, pid] of (await allPids()).entries()) {
    if (await isOf(uid, pid)) return true;
    if (index % atOnce === atOnce - 1) await setImmediate();
  }
  return false;
}

/** Those that have a socket open, the oldest first, as far as their descriptors are for us to see. */
export async function holdersOfSocket(inode: string): Promise<number[]> {
  const holders: ProcessId[] = [];
  for (const pid of await allPids()) {
    const found = await findProcess(pid);
    if (found && (await hasOpen(pid, `socket:[${inode}]`))) holders.push(found);
  }
  return holders.sort((one, other) => one.startTime - other.startTime).map(({ pid }) => pid);
}

async function hasOpen(pid: number, what: string): Promise<boolean> {
  const descriptors = await readdir(`/proc/${pid}/fd`).catch(() => []);
  for (const descriptor of descriptors) {
    const target = await readlink(`/proc/${pid}/fd/${descriptor}`).catch(() => "");
    if (target === what) return true;
  }
  return false;
}

const atOnce = 200;

async function isOf(uid: number, pid: number): Promise<boolean> {
  const status = (await readProc(`${pid}/status`)) ?? "";
  const ids = /^Uid:\t([\d\t]*)$/m.exec(status)?.[1]?.split("\t") ?? [];
  return ids.includes(String(uid)) && !/^State:\s+[ZX]/m.test(status);
}

function readProc(path: string): Promise<string | undefined> {
  return unlessGone(() => readFileSync(`/proc/${path}`, "utf8"));
}

/**
 * That a process went while we looked is an answer. Who has no descriptor left to look with knows nothing of it, and must
 * not take a living one for dead.
 */
async function unlessGone<T>(look: () => T | Promise<T>): Promise<T | undefined> {
  try {
    return await look();
  } catch (error) {
    if (hasCode(error, "ENOENT", "ESRCH")) return undefined;
    throw error;
  }
}
