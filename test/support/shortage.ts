import { execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { readdirSync, statSync } from "node:fs";

type Limit = "nofile" | "nproc";

/** As the process's own user, who may do so without any right of root's. */
function prlimit(pid: number, ...words: string[]): string {
  const { uid, gid } = statSync(`/proc/${pid}`);
  return execFileSync("prlimit", ["--pid", String(pid), ...words], { uid, gid }).toString();
}

/** Sets the soft limit alone, which may be raised again. */
export function limit(pid: number, what: Limit, to: string | number): void {
  prlimit(pid, `--${what}=${to}:`);
}

/** The soft limit. */
export function limitOf(pid: number, what: Limit): string {
  return prlimit(pid, `--${what}`, "--noheadings", "--output", "SOFT").trim();
}

export function openFilesOf(pid: number): number {
  return readdirSync(`/proc/${pid}/fd`).length;
}

/** This process may open nothing more meanwhile; who lets it again is another one, that is there before. */
export async function whileOutOfDescriptors<T>(work: () => Promise<T>): Promise<T> {
  const own = `prlimit --pid ${process.pid} --nofile`;
  const script = `soft=$(${own} --noheadings --output SOFT) && ${own}=0: && echo set && read line; ${own}="$soft:"`;
  const other = spawn("sh", ["-c", script], { stdio: ["pipe", "pipe", "inherit"] });
  const ended = once(other, "exit");
  await once(other.stdout, "data");
  try {
    return await work();
  } finally {
    other.stdin.write("again\n");
    await ended;
  }
}
