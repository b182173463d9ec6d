import { UserError } from "../errors.ts";
import { waitFor } from "../host/clock.ts";
import type { Turns } from "../host/turns.ts";
import { CommandFailed, type Command, type Host } from "../host/host.ts";
import { childrenOf, findByPidFile, titleOf } from "../host/processes.ts";

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

/** The master's process id, or undefined where it does not run. */
export function runningNginx({ pidFile }: NginxPaths): Promise<number | undefined> {
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

const patience = 10_000;

/**
 * Has nginx take its configuration, and resolves when no worker with the former one takes connections any
 * more. A master that refuses the configuration keeps its old workers and says so only in its log.
 */
export async function reloadNginx(host: Host, nginx: Nginx): Promise<void> {
  const master = await runningNginx(nginx);
  if (master === undefined) {
    throw new UserError("NGINX_DOWN", `nginx is not running (${nginx.pidFile})`);
  }
  const former = new Set(await childrenOf(master));
  try {
    await host.run(nginxCommand(nginx, ["-s", "reload"]));
  } catch (error) {
    if (!(error instanceof CommandFailed)) throw error;
    throw new UserError("NGINX_DOWN", `nginx could not be told to reload:\n${error.output}`, {
      cause: error,
    });
  }
  const taken = await waitFor(() => hasReloaded(master, former), { within: patience, every: 5 });
  if (!taken)
    throw new UserError(
      "VHOST_REJECTED",
      "nginx did not take its new configuration; see its error log",
    );
}

async function hasReloaded(master: number, former: ReadonlySet<number>): Promise<boolean> {
  const workers = await childrenOf(master);
  const titles = await Promise.all(
    workers.map(async (pid) => ({ pid, title: await titleOf(pid) })),
  );
  const serving = titles.filter(({ title }) => !title.includes("shutting down"));
  return (
    serving.length > 0 &&
    serving.every(({ pid, title }) => !former.has(pid) && title.includes("worker"))
  );
}
