import { readdirSync, readFileSync, readlinkSync } from "node:fs";

interface Running {
  pid: number;
  parent: number;
  /** Its words, as `ps` shows them. */
  title: string;
  folder: string;
}

/** Every process that belongs to a server: it names the server's folder, or stands in it, or is a child of one that does. */
export function processesUnder(home: string): Running[] {
  const all = readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name))
    .flatMap((name) => look(Number(name)) ?? []);
  const byPid = new Map(all.map((running) => [running.pid, running]));
  // Numbers begin anew at the kernel's pid_max: a child's may be lower than its parent's.
  const isOurs = ({ title, folder, parent }: Running): boolean => {
    // A command that looks is not what is looked for.
    if (/main\.js (?!agent |front )/.test(title)) return false;
    if (title.includes(home) || folder.startsWith(`${home}/`)) return true;
    const above = byPid.get(parent);
    return above !== undefined && isOurs(above);
  };
  return all.filter(isOurs).sort((one, other) => one.pid - other.pid);
}

function look(pid: number): Running | undefined {
  try {
    const title = readFileSync(`/proc/${pid}/cmdline`, "utf8").replaceAll("\0", " ").trim();
    const folder = readlinkSync(`/proc/${pid}/cwd`);
    const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
    const [state, parent] = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
    return state === "Z" ? undefined : { pid, parent: Number(parent), title, folder };
  } catch {
    return undefined;
  }
}

export function childrenOf(pid: number): number[] {
  try {
    return readFileSync(`/proc/${pid}/task/${pid}/children`, "utf8")
      .split(" ")
      .filter(Boolean)
      .map(Number);
  } catch {
    return [];
  }
}

/** By SIGKILL; one that is gone already is gone. */
export function kill(pid: number): boolean {
  try {
    process.kill(pid, "SIGKILL");
    return true;
  } catch {
    return false;
  }
}
