import { spawn, type ChildProcess } from "node:child_process";
import { readFileSync } from "node:fs";
import { createInterface } from "node:readline";
import type { Readable } from "node:stream";
import { onTestFinished } from "vitest";
import type { Command, Identity } from "../../src/system/system.ts";
import { projectRoot } from "./server.ts";

/** What root's tools and the walker look at a tree by, and change it by. */
const calls = [
  ...["openat", "getdents64", "newfstatat", "statx", "readlinkat"],
  ...["fchmod", "fchmodat", "fchmodat2", "chmod", "fchown", "fchownat", "chown", "lchown"],
  ...["mkdirat", "linkat", "symlinkat", "unlinkat", "rmdir", "unlink"],
]
  .map((call) => `?${call}`)
  .join(",");

/**
 * strace stops a process behind each of these calls, until it hears SIGCONT. So whatever another process does there
 * comes between any two looks or changes, by no luck.
 */
const holding = ["-f", "-qq", "-e", `trace=${calls}`, "-e", `inject=${calls}:signal=SIGSTOP`];

/** Runs a command and does something at every moment at which it is held. Resolves to its exit code. */
export async function runHeld(command: Command, atEach: () => Promise<unknown>): Promise<number> {
  const strace = spawn("strace", [...holding, "--", command.file, ...command.args], {
    stdio: ["pipe", "ignore", "pipe"],
  });
  const ended = new Promise<number>((resolve) => strace.once("exit", (code) => resolve(code ?? 1)));
  strace.stdin.end(command.input ?? "");
  await letGo(strace, strace.stderr, atEach);
  return ended;
}

/**
 * The same for all that a process starts from now on, and for itself, where its calls are about one of these paths.
 * Resolves to what ends it.
 */
export async function holdAt(
  pid: number,
  paths: string[],
  atEach: () => Promise<unknown>,
): Promise<() => Promise<void>> {
  const about = paths.flatMap((path) => ["-P", path]);
  const words = [...holding.filter((word) => word !== "-qq"), ...about, "-p", String(pid)];
  const strace = spawn("strace", words, { stdio: ["ignore", "ignore", "pipe"] });
  const gone = new Promise<void>((resolve) => strace.once("exit", () => resolve()));
  let attached: () => void;
  const isAttached = new Promise<void>((resolve) => (attached = resolve));
  strace.stderr.on("data", (chunk: Buffer) => {
    if (chunk.includes("attached")) attached();
  });
  const held = letGo(strace, strace.stderr, atEach);
  await isAttached;
  return async () => {
    strace.kill("SIGINT");
    await gone;
    await held;
  };
}

async function letGo(
  strace: ChildProcess,
  lines: Readable,
  atEach: () => Promise<unknown>,
): Promise<void> {
  for await (const line of createInterface({ input: lines })) {
    const stopped = /^(?:\[pid +(\d+)\] )?--- stopped by SIGSTOP/.exec(line);
    if (!stopped) continue;
    await atEach();
    // Only where there are several of them strace says which one it is.
    process.kill(Number(stopped[1] ?? onlyChildOf(strace)), "SIGCONT");
  }
}

function onlyChildOf({ pid }: ChildProcess): string {
  return readFileSync(`/proc/${pid}/task/${pid}/children`, "utf8").trim();
}

interface Targets {
  /** A folder of its own, outside the tree. */
  own: string;
  file: string;
  folder: string;
  /** Another one swaps other names at other moments; 0 swaps all of them at each. */
  seed?: number;
}

/** See swapper.py: somebody who holds the tree open, and links to what is root's. */
export class Swapper {
  /** How many names it has swapped, and how often it was asked to. */
  swapped = 0;
  moments = 0;
  readonly #lines: AsyncIterator<string>;
  readonly #process: ReturnType<typeof Swapper.spawn>;

  private constructor(process: ReturnType<typeof Swapper.spawn>) {
    this.#process = process;
    this.#lines = createInterface({ input: process.stdout })[Symbol.asyncIterator]();
  }

  static async start(
    tree: string,
    as: Pick<Identity, "uid" | "gid">,
    targets: Targets,
  ): Promise<Swapper> {
    const swapper = new Swapper(Swapper.spawn(tree, as, targets));
    await swapper.#lines.next();
    return swapper;
  }

  private static spawn(
    tree: string,
    { uid, gid }: Pick<Identity, "uid" | "gid">,
    { own, file, folder, seed = 1 }: Targets,
  ) {
    const program = `${projectRoot}/test/support/swapper.py`;
    const started = spawn(
      "/usr/bin/python3",
      ["-I", program, tree, own, file, folder, String(seed)],
      {
        ...{ cwd: "/", uid, gid, stdio: ["pipe", "pipe", "inherit"] as const },
      },
    );
    onTestFinished(() => void started.kill("SIGKILL"));
    return started;
  }

  async swap(): Promise<void> {
    this.#process.stdin.write("\n");
    const { value } = (await this.#lines.next()) as { value: string };
    this.swapped += Number(value);
    this.moments += 1;
  }
}
