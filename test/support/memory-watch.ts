import { readFileSync } from "node:fs";
import { processesUnder } from "./processes.ts";

const every = 20;

/** Looks again and again at what all gits of a server have in memory that is their own, until it ends. */
export class MemoryWatch {
  readonly #timer: NodeJS.Timeout;
  #highest = 0;

  constructor(home: string) {
    this.#timer = setInterval(() => {
      const gits = processesUnder(home).filter(({ title }) => /(^|\/| )git[ -]/.test(title));
      const now = gits.map(({ pid }) => memoryOf(pid)).reduce((sum, one) => sum + one, 0);
      this.#highest = Math.max(this.#highest, now);
    }, every);
  }

  /** The most that was seen, in megabytes. */
  end(): number {
    clearInterval(this.#timer);
    return this.#highest;
  }
}

function memoryOf(pid: number): number {
  try {
    const status = readFileSync(`/proc/${pid}/status`, "utf8");
    return Number(/^RssAnon:\s+(\d+)/m.exec(status)?.[1] ?? 0) / 1024;
  } catch {
    return 0;
  }
}
