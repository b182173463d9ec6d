import { milliseconds } from "../../system/clock.ts";
import { withoutCredentials } from "../../system/credentials.ts";
import { printable } from "../../system/lines.ts";
import type { AgentStore } from "../store/store.ts";
import { DeployLog } from "./deploy-log.ts";

const nameWidth = 12;
const detailWidth = 36;
const timeWidth = 9;

/** `  checkout     checked out, 4 files changed             12 ms` */
export function stepLine(name: string, detail: string, took: number): string {
  const time = took < 10_000 ? `${Math.round(took)} ms` : `${(took / 1000).toFixed(1)} s`;
  return `  ${name.padEnd(nameWidth)} ${printable(detail).padEnd(detailWidth)} ${time.padStart(timeWidth)}`;
}

/** What a deploy says while it happens: to whoever asked for it, and to the deploy's log. */
export class DeployReport {
  readonly #store: AgentStore;
  readonly #say: (line: string) => void;
  #deploy: number | undefined;
  #log: DeployLog | undefined;
  #position = 0;

  constructor(store: AgentStore, say: (line: string) => void) {
    this.#store = store;
    this.#say = say;
  }

  /** From here on everything is kept as well. */
  keep(deploy: number, logPath: string): void {
    this.#deploy = deploy;
    this.#position = this.#store.deploys.steps(deploy).length;
    this.keepLog(logPath);
  }

  /** The same for what is said after the steps are over. */
  keepLog(logPath: string): void {
    this.#log = new DeployLog(logPath);
  }

  line(text: string): void {
    // What was pushed may be quoted in it, with a password in an address.
    const shown = withoutCredentials(text);
    // Whoever waits for it reads it, also where the disk is full.
    this.#say(shown);
    this.#log?.add(shown);
  }

  /** Nothing more is said for now. */
  rest(): void {
    this.#log?.flush();
  }

  /** Runs one step of the deploy; it is written down before it begins, and said when it has done something. */
  async step(name: string, work: () => Promise<string | undefined>): Promise<void> {
    const position = ++this.#position;
    const began = milliseconds();
    if (this.#deploy !== undefined) this.#store.deploys.startStep(this.#deploy, position, name);
    try {
      const detail = await work();
      this.#end(name, position, { detail, milliseconds: milliseconds() - began });
    } catch (error) {
      this.#end(name, position, { detail: "failed", milliseconds: milliseconds() - began });
      throw error;
    }
  }

  stepTook(name: string, detail: string, took: number): void {
    this.line(stepLine(name, detail, took));
    this.rest();
  }

  #end(
    name: string,
    position: number,
    outcome: { detail: string | undefined; milliseconds: number },
  ): void {
    if (this.#deploy !== undefined) this.#store.deploys.endStep(this.#deploy, position, outcome);
    if (outcome.detail !== undefined) this.stepTook(name, outcome.detail, outcome.milliseconds);
  }
}
