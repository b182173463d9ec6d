import { spawn, type ChildProcess } from "node:child_process";
import { closeSync, openSync } from "node:fs";
import { sleep } from "./clock.ts";
import { privilegeArguments } from "./box.ts";
import type { Identity } from "./system.ts";

export interface Service {
  name: string;
  file: string;
  args: string[];
  env: Record<string, string>;
  /** Where its standard output and error go. */
  log: string;
  as?: Identity | undefined;
  /** Resolves when it does its work; asked again after every start. */
  ready: () => Promise<boolean>;
}

const firstPause = 500;
const longestPause = 15_000;
/** After this long a service counts as well, and its next fall as its first. */
const wellAfter = 30_000;
const timeout = 15_000;

/**
 * Keeps one process running: starts it, starts it again with growing pauses when it falls, and ends it with
 * everything it started. It leads a session of its own, so that Ctrl-C reaches nobody but the supervisor,
 * and it ends by itself when the supervisor is killed.
 */
export class Supervised {
  readonly #service: Service;
  readonly #say: (line: string) => void;
  #child: ChildProcess | undefined;
  #stopping = false;

  constructor(service: Service, say: (line: string) => void) {
    this.#service = service;
    this.#say = say;
  }

  get pid(): number | undefined {
    return this.#child?.pid;
  }

  /** Resolves when the service is ready; rejects when it is not in time. */
  async start(): Promise<void> {
    this.#spawn();
    const end = Date.now() + timeout;
    while (!(await this.#service.ready().catch(() => false))) {
      if (Date.now() > end || this.#stopping) {
        throw new Error(`${this.#service.name} did not start; its log is ${this.#service.log}`);
      }
      await sleep(20);
    }
  }

  /** Ends the process and its group; after `within` milliseconds by SIGKILL. */
  async stop(within: number): Promise<void> {
    this.#stopping = true;
    const child = this.#child;
    if (!child?.pid) return;
    const gone = new Promise<void>((resolve) => child.once("exit", () => resolve()));
    if (child.exitCode === null && child.signalCode === null) {
      signal(child.pid, "SIGTERM");
      // Once the process is gone, nothing is left to wait for: the timer alone keeps nobody here.
      await Promise.race([gone, sleep(within, undefined, { ref: false })]);
    }
    signal(-child.pid, "SIGKILL");
  }

  #spawn(pause = firstPause): void {
    const startedAt = Date.now();
    const child = this.#begin();
    this.#child = child;
    // One that the system could not start has no end, only this.
    child.on("error", (error) => this.#again(`could not be started: ${error.message}`, pause));
    child.once("exit", (code, by) => {
      if (child.pid && !this.#stopping) signal(-child.pid, "SIGKILL");
      const wait = Date.now() - startedAt > wellAfter ? firstPause : pause;
      this.#again(`ended (${by ?? `exit code ${code ?? "?"}`})`, wait);
    });
  }

  #begin(): ChildProcess {
    const { file, args, env, log, as } = this.#service;
    const output = openSync(log, "a", 0o640);
    // Root's own processes start others: none of them gains a right that its parent does not give.
    const privileges = as ? privilegeArguments(as) : ["--no-new-privs"];
    try {
      return spawn("setpriv", ["--pdeathsig=TERM", ...privileges, "--", file, ...args], {
        cwd: "/",
        env,
        detached: true,
        stdio: ["ignore", output, output],
      });
    } finally {
      closeSync(output);
    }
  }

  /** Where it cannot be started now, for want of files or memory say, it is tried again: all else goes on. */
  #again(what: string, wait: number): void {
    if (this.#stopping) return;
    this.#say(`${this.#service.name} ${what}; it is started again in ${wait / 1000} s`);
    const next = Math.min(wait * 2, longestPause);
    setTimeout(() => {
      if (this.#stopping) return;
      try {
        this.#spawn(next);
      } catch (error) {
        this.#again(`could not be started: ${(error as Error).message}`, next);
      }
    }, wait);
  }
}

function signal(pid: number, name: NodeJS.Signals): void {
  try {
    process.kill(pid, name);
  } catch {
    // It is gone, which is what was wanted.
  }
}
