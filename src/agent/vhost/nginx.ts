import { UserError } from "../../errors.ts";
import { waitFor } from "../../system/clock.ts";
import type { Turns } from "../../system/turns.ts";
import { CommandFailed, type Command, type System } from "../../system/system.ts";
import {
  childrenOf,
  findByPidFile,
  findProcess,
  titleOf,
  type ProcessId,
} from "../../system/processes.ts";

/** nginx by its own configuration and prefix, never by the compiled-in ones. */
interface NginxPaths {
  configuration: string;
  prefix: string;
  pidFile: string;
}

/** Debian's two folders, and one with a folder of links for each host that instances share. */
export interface SiteFolders {
  available: string;
  enabled: string;
  sharedHosts: string;
}

export interface Nginx extends NginxPaths {
  sites: SiteFolders;
  /** Its test and its reload read the files of all instances: one change at a time. */
  turns: Turns;
}

function nginxCommand({ configuration, prefix }: NginxPaths, args: string[]): Command {
  return { file: "nginx", args: ["-p", prefix, "-c", configuration, ...args], deadline: 30_000 };
}

export function testNginx(nginx: NginxPaths): Command {
  return nginxCommand(nginx, ["-t", "-q"]);
}

/** Prints all of its configuration, whichever files that comes from. */
export function printNginx(nginx: NginxPaths): Command {
  return nginxCommand(nginx, ["-T", "-q"]);
}

/** The master's process id, or undefined where it does not run. */
export function runningNginx({
  pidFile,
}: Pick<NginxPaths, "pidFile">): Promise<number | undefined> {
  return findByPidFile(pidFile, /nginx/);
}

/** They share the connections evenly, and a process may open only so many files. */
const workers = 4;
/** What a worker has open besides: its listening sockets, its logs, what the master says. */
const ownFiles = 512;
const fewestConnections = 64;

/** What each worker may hold, so that all of them hold `connections`, or as many as the machine's limit of files allows. */
export function webCapacity(
  connections: number,
  mostFiles: number,
): { workers: number; connections: number; files: number } {
  const wanted = Math.ceil(connections / workers);
  const possible = Math.floor((mostFiles - ownFiles) / 2);
  const each = Math.max(fewestConnections, Math.min(wanted, possible));
  return { workers, connections: each, files: Math.min(2 * each + ownFiles, mostFiles) };
}

const timeout = 10_000;
/** Former workers that finish what they began. Each holds its connections, and the memory for as many as it may hold. */
const mostFormer = 32;

/**
 * Has nginx take its configuration, and resolves when no worker with the former one takes connections any
 * more. A master that refuses the configuration keeps its old workers and says so only in its log.
 */
export async function reloadNginx(system: System, nginx: Nginx): Promise<void> {
  const master = await runningNginx(nginx);
  if (master === undefined) {
    throw new UserError("NGINX_DOWN", `nginx is not running (${nginx.pidFile})`);
  }
  await makeRoom(master);
  const former = new Set(await childrenOf(master));
  try {
    await system.run(nginxCommand(nginx, ["-s", "reload"]));
  } catch (error) {
    if (!(error instanceof CommandFailed)) throw error;
    throw new UserError("NGINX_DOWN", `nginx could not be told to reload:\n${error.output}`, {
      cause: error,
    });
  }
  const taken = await waitFor(() => hasReloaded(master, former), { within: timeout, every: 5 });
  if (!taken)
    throw new UserError(
      "VHOST_REJECTED",
      "nginx did not take its new configuration; see its error log",
    );
}

/**
 * A visitor who never ends a request keeps a worker over every reload. Those that have had the longest end before
 * the workers of now join them: whatever is held open, so many are left and no more.
 */
async function makeRoom(master: number): Promise<void> {
  const former = (await titlesBelow(master)).filter(isFormer);
  const known = await Promise.all(former.map(({ pid }) => findProcess(pid)));
  const byAge = known
    .filter((worker) => worker !== undefined)
    .sort((one, other) => one.startTime - other.startTime);
  const tooMany = Math.max(0, byAge.length + workers - mostFormer);
  for (const worker of byAge.slice(0, tooMany)) await endWorker(master, worker);
}

/** A number that is another's by now is not below the master. */
async function endWorker(master: number, { pid }: ProcessId): Promise<void> {
  if (!(await childrenOf(master)).includes(pid)) return;
  try {
    process.kill(pid, "SIGTERM");
  } catch {
    // It ended between the look and the signal.
  }
}

interface Titled {
  pid: number;
  title: string;
}

async function titlesBelow(master: number): Promise<Titled[]> {
  const pids = await childrenOf(master);
  return Promise.all(pids.map(async (pid) => ({ pid, title: await titleOf(pid) })));
}

function isFormer({ title }: Titled): boolean {
  return title.includes("shutting down");
}

async function hasReloaded(master: number, former: ReadonlySet<number>): Promise<boolean> {
  const serving = (await titlesBelow(master)).filter((worker) => !isFormer(worker));
  return (
    serving.length > 0 &&
    serving.every(({ pid, title }) => !former.has(pid) && title.includes("worker"))
  );
}
