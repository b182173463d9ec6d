import { CommandFailed, type Command, type System } from "../../src/system/system.ts";

/** Runs nothing and remembers what it was asked to run. */
export class RecordingSystem implements System {
  readonly isRoot: boolean;
  readonly commands: Command[] = [];
  readonly #outcomes: [start: string, outcome: { output: string; exitCode: number }][] = [];

  constructor({ isRoot = false } = {}) {
    this.isRoot = isRoot;
  }

  /** Commands whose line begins like this end well and print `output`. */
  answering(start: string, output: string): this {
    this.#outcomes.push([start, { output, exitCode: 0 }]);
    return this;
  }

  failing(start: string, output: string, exitCode = 1): this {
    this.#outcomes.push([start, { output, exitCode }]);
    return this;
  }

  run(command: Command): Promise<string> {
    this.commands.push(command);
    const line = lineOf(command);
    const outcome = this.#outcomes.find(([start]) => line.startsWith(start))?.[1];
    if (outcome && outcome.exitCode !== 0) {
      return Promise.reject(new CommandFailed(command, { ...outcome, timedOut: false }));
    }
    return Promise.resolve(outcome?.output ?? "");
  }

  get lines(): string[] {
    return this.commands.map(lineOf);
  }
}

function lineOf({ file, args }: Command): string {
  return [file, ...args].join(" ");
}
