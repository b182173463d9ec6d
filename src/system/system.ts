import { execa } from "execa";
import { boxed, privilegeArguments, tryNamespaces, type Box, type Program } from "./box.ts";
import { limited, type Limits } from "./limits.ts";
import { LineSplitter } from "./lines.ts";
import { starting } from "./starting.ts";

/** A system user, as a process runs under it. */
export interface Identity {
  name: string;
  uid: number;
  gid: number;
}

/** What to run, and how. */
export interface Command extends Program {
  /** It is entered as the user, and never as root: whoever stands in a folder reaches what is below it. */
  cwd?: string;
  /** Added to a nearly empty environment (`PATH`, `LANG`): nothing of ours is inherited. */
  env?: Record<string, string>;
  /**
   * Runs as this user (where reeve is root), with no new privileges, and dies with reeve: no build outlives
   * the agent that asked for it.
   */
  as?: Identity | undefined;
  /** It runs code of strangers, as that user: with these limits, and in namespaces of its own where that can be. */
  box?: Box | undefined;
  /** It works on what strangers wrote, and runs none of it. */
  limits?: Limits | undefined;
  input?: string;
  /** How standard output becomes text; without, UTF-8. latin1: one character for each byte. */
  encoding?: "latin1";
  /** Bytes of standard output after which the process is killed; without, 256 MiB. */
  longestOutput?: number;
  /** Milliseconds after which the process and all its children are killed. */
  deadline?: number;
}

export interface RunOptions {
  /** Called with every line of standard output and standard error as it comes; where it throws, all is stopped. */
  onLine?: (line: string) => void;
  /** Aborted when nobody wants the result any more: the process and all its children are killed. */
  signal?: AbortSignal | undefined;
}

/** A command ended other than with exit code 0. `output` holds the end of what it printed. */
export class CommandFailed extends Error {
  readonly #command: Command;
  readonly output: string;
  readonly exitCode: number | undefined;
  readonly timedOut: boolean;
  /** It printed more than the command allowed. */
  readonly tooLong: boolean;

  constructor(
    command: Command,
    result: {
      output: string;
      exitCode?: number | undefined;
      timedOut: boolean;
      tooLong?: boolean;
      signal?: string | undefined;
    },
  ) {
    const how = result.timedOut
      ? "took too long and was stopped"
      : result.tooLong
        ? "printed too much and was stopped"
        : result.signal
          ? `was killed by ${result.signal}`
          : `ended with exit code ${result.exitCode ?? "unknown"}`;
    super(`${command.file} ${how}${result.output ? `:\n${result.output}` : ""}`);
    this.name = "CommandFailed";
    this.#command = command;
    this.output = result.output;
    this.exitCode = result.exitCode;
    this.timedOut = result.timedOut;
    this.tooLong = result.tooLong ?? false;
  }

  /** No field of it: whoever writes an error down would write its input and environment down, where secrets may be. */
  get command(): Command {
    return this.#command;
  }
}

/** The world, as far as processes go. */
export interface System {
  /**
   * Resolves to standard output. Rejects with `CommandFailed` unless the exit code is 0, and with the system's own
   * error where it starts no process.
   */
  run(command: Command, options?: RunOptions): Promise<string>;
  /** Whether other identities can be taken. */
  readonly isRoot: boolean;
}

const path = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
const keptLines = 60;
/** Milliseconds for what a command printed to arrive after it has ended. */
const timeout = 1000;

/** Processes are started in a group of their own, so that a deadline ends their children as well. */
export class LocalSystem implements System {
  readonly isRoot = process.getuid?.() === 0;
  #namespaces: Promise<boolean> | undefined;

  /** Whether boxes get namespaces of their own: with root, unless the system refuses. */
  hasNamespaces(): Promise<boolean> {
    this.#namespaces ??= this.isRoot ? this.#triesNamespaces() : Promise.resolve(false);
    return this.#namespaces;
  }

  async #triesNamespaces(): Promise<boolean> {
    try {
      await this.run({ ...tryNamespaces(), deadline: 10_000 });
      return true;
    } catch (error) {
      if (error instanceof CommandFailed && !error.timedOut) return false;
      // That is the machine's trouble of this moment, and no answer for good.
      this.#namespaces = undefined;
      throw error;
    }
  }

  async run(command: Command, options: RunOptions = {}): Promise<string> {
    const { file, args, cwd } = await this.#withIdentity(command);
    const tail: string[] = [];
    let unheard: { error: unknown } | undefined;
    const keep = (line: string): void => {
      tail.push(line);
      if (tail.length > keptLines) tail.shift();
      if (unheard) return;
      try {
        options.onLine?.(line);
      } catch (error) {
        // Thrown where the stream is read, it would end us.
        unheard = { error };
        kill();
      }
    };
    const { subprocess } = await starting(() => ({
      subprocess: execa(file, args, {
        cwd,
        env: { PATH: path, LANG: "C.UTF-8", ...command.env },
        extendEnv: false,
        // A pipe to say nothing through costs as much as a stream that is used.
        ...(command.input === undefined ? { stdin: "ignore" } : { input: command.input }),
        reject: false,
        detached: true,
        stripFinalNewline: false,
        // A build may print without end: its lines are passed on and only the last ones are kept. Of what else is
        // kept execa would make several copies for an error's message.
        buffer: false,
      }),
    }));
    const kill = (): void => killGroup(subprocess.pid);
    const lines = [LineSplitter.of(subprocess.stderr, keep)];
    const output = new BoundedOutput(command.longestOutput ?? 256 * 1024 * 1024, kill);
    if (options.onLine) lines.push(LineSplitter.of(subprocess.stdout, keep));
    else subprocess.stdout.on("data", (chunk: Buffer) => output.add(chunk));
    const limits = watchLimits(kill, command.deadline, options.signal);
    let straggling: NodeJS.Timeout | undefined;
    subprocess.once("exit", () => {
      // Whatever the command left running in its group is not wanted.
      kill();
      // What went into a session of its own may hold the output open for ever: it is not waited for.
      straggling = setTimeout(() => {
        subprocess.stdout.destroy();
        subprocess.stderr.destroy();
      }, timeout);
    });
    const result = await subprocess;
    limits.end();
    clearTimeout(straggling);
    for (const splitter of lines) splitter.end();
    options.signal?.throwIfAborted();
    if (unheard) throw unheard.error;

    const wasStarted = result.exitCode !== undefined || result.signal !== undefined;
    if (!wasStarted && !limits.timedOut) throw result.cause;
    const isWhole = !limits.timedOut && !output.isTooLong;
    if (result.exitCode === 0 && isWhole) return output.text(command.encoding);
    throw new CommandFailed(command, {
      output: tail.length > 0 ? tail.join("\n") : output.text(command.encoding).trim(),
      exitCode: result.exitCode,
      timedOut: limits.timedOut,
      tooLong: output.isTooLong,
      signal: result.signal,
    });
  }

  async #withIdentity(command: Command): Promise<{ file: string; args: string[]; cwd: string }> {
    const { as, box, limits, cwd = "/" } = command;
    const isOther = as !== undefined && this.isRoot;
    const [file = "", ...args] = [
      ...(limits ? limited(limits) : []),
      ...(isOther && cwd !== "/" ? ["env", `--chdir=${cwd}`, "--"] : []),
      command.file,
      ...command.args,
    ];
    if (as === undefined) return { file, args, cwd };
    const from = isOther ? "/" : cwd;
    if (box) {
      const means = { isRoot: this.isRoot, namespaces: await this.hasNamespaces() };
      return { ...boxed({ file, args }, box, as, means), cwd: from };
    }
    const privileges = isOther ? privilegeArguments(as) : ["--no-new-privs"];
    const words = ["--pdeathsig=KILL", ...privileges, "--", file, ...args];
    return { file: "setpriv", args: words, cwd: from };
  }
}

/** What a process prints, up to a length; of what is longer nothing is kept. */
class BoundedOutput {
  readonly #longest: number;
  readonly #onTooLong: () => void;
  #chunks: Buffer[] = [];
  #length = 0;

  constructor(longest: number, onTooLong: () => void) {
    this.#longest = longest;
    this.#onTooLong = onTooLong;
  }

  get isTooLong(): boolean {
    return this.#length > this.#longest;
  }

  add(chunk: Buffer): void {
    this.#length += chunk.length;
    if (this.isTooLong) {
      this.#chunks = [];
      this.#onTooLong();
    } else this.#chunks.push(chunk);
  }

  text(encoding: BufferEncoding = "utf8"): string {
    return Buffer.concat(this.#chunks).toString(encoding);
  }
}

/** Kills at the deadline, and when nobody wants the result any more. */
function watchLimits(
  kill: () => void,
  deadline: number | undefined,
  signal: AbortSignal | undefined,
): { timedOut: boolean; end: () => void } {
  const timer = deadline === undefined ? undefined : setTimeout(expire, deadline);
  signal?.addEventListener("abort", kill);
  if (signal?.aborted) kill();
  const limits = {
    timedOut: false,
    end: () => {
      clearTimeout(timer);
      signal?.removeEventListener("abort", kill);
    },
  };
  function expire(): void {
    limits.timedOut = true;
    kill();
  }
  return limits;
}

function killGroup(pid: number | undefined): void {
  if (pid === undefined) return;
  try {
    process.kill(-pid, "SIGKILL");
  } catch {
    // The group is gone already, which is what was wanted.
  }
}
