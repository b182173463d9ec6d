import { readdirSync, readFileSync } from "node:fs";

/** A process as /proc showed it at some moment (proc(5)). */
export interface Seen {
  pid: number;
  uid: number;
  groups: number[];
  /** Inheritable, permitted, effective and ambient, all in one: none is what it should be. */
  capabilities: bigint;
  /** Whether a set-user-ID program could still give it rights. */
  newPrivileges: boolean;
  title: string;
  environment: string[];
}

const every = 5;

/** Looks again and again at all processes that descend from one, until it ends. */
export class ProcessWatch {
  readonly #seen = new Map<string, Seen>();
  readonly #timer: NodeJS.Timeout;

  constructor(ancestor: number) {
    this.#timer = setInterval(() => this.#look(ancestor), every);
  }

  /** Each process with each title and each state that it was seen with. */
  end(): Seen[] {
    clearInterval(this.#timer);
    return [...this.#seen.values()];
  }

  #look(ancestor: number): void {
    const children = new Map<number, number[]>();
    for (const pid of readdirSync("/proc").map(Number).filter(Number.isInteger)) {
      const parent = Number(/^PPid:\s+(\d+)$/m.exec(read(`${pid}/status`))?.[1] ?? -1);
      children.set(parent, [...(children.get(parent) ?? []), pid]);
    }
    const left = [ancestor];
    for (let pid = left.pop(); pid !== undefined; pid = left.pop()) {
      left.push(...(children.get(pid) ?? []));
      const seen = look(pid);
      if (seen)
        this.#seen.set(JSON.stringify({ ...seen, capabilities: `${seen.capabilities}` }), seen);
    }
  }
}

function look(pid: number): Seen | undefined {
  const title = titleOf(pid);
  const status = read(`${pid}/status`);
  // One that has become another program in between is looked at the next time.
  if (!status || title === "" || title !== titleOf(pid) || /^State:\s+Z/m.test(status))
    return undefined;
  const field = (name: string) => new RegExp(`^${name}:[ \\t]*(.*)$`, "m").exec(status)?.[1] ?? "";
  const sets = ["CapInh", "CapPrm", "CapEff", "CapAmb"].map((name) => BigInt(`0x${field(name)}`));
  return {
    pid,
    uid: Number(field("Uid").split("\t")[0]),
    groups: field("Groups").trim().split(" ").filter(Boolean).map(Number),
    capabilities: sets.reduce((all, set) => all | set, 0n),
    newPrivileges: field("NoNewPrivs") !== "1",
    title,
    environment: words(`${pid}/environ`),
  };
}

function titleOf(pid: number): string {
  return words(`${pid}/cmdline`).join(" ");
}

function words(path: string): string[] {
  return read(path).split("\0").filter(Boolean);
}

function read(path: string): string {
  try {
    return readFileSync(`/proc/${path}`, "utf8");
  } catch {
    return "";
  }
}
