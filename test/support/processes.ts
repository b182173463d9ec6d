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
  const own = new Map<number, Running>();
  for (const running of all.sort((one, other) => one.pid - other.pid)) {
    const isOurs =
      running.title.includes(home) ||
      running.folder.startsWith(`${home}/`) ||
      own.has(running.parent);
    // A command that looks is not what is looked for.
    if (isOurs && !/main\.js (?!agent |front )/.test(running.title)) own.set(running.pid, running);
  }
  return [...own.values()];
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

/** Without mercy; one that is gone already is gone. */
export function kill(pid: number): boolean {
  try {
    process.kill(pid, "SIGKILL");
    return true;
  } catch {
    return false;
  }
}
