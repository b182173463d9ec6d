import { existsSync, lstatSync, readdirSync } from "node:fs";
import { join, relative } from "node:path";
import { expect } from "vitest";
import { differences } from "../support/differences.ts";
import { processesUnder } from "../support/processes.ts";
import { eventually, type TestServer } from "../support/server.ts";

/** `npm run test:hostile` tries everything; otherwise a part that fits into `npm test`. */
export const isLong = process.env["ROUNDS"] !== undefined;

interface Standing {
  files: string[];
  processes: string[];
  /** Those that no push to `demo` may end: reeve's own and the other app's. */
  lasting: string[];
}

/**
 * What has to hold after every case: the processes are the same, none came, no file came or went but where
 * files may, nothing was run, and another app runs on. `around` is the folder that the server's own is in, open
 * to everybody, so that whatever gets out has a place to land.
 */
export class Oracle {
  /** A path that hostile words ask to be made. */
  readonly canary: string;
  readonly #server: TestServer;
  readonly #around: string;
  #standing: Standing = { files: [], processes: [], lasting: [] };

  constructor(server: TestServer, around: string) {
    this.#server = server;
    this.#around = around;
    this.canary = join(around, "PWNED");
  }

  /** What stands now is what is to stand after each case. */
  remember(): void {
    this.#standing = this.#look();
  }

  /**
   * Every process and every file is as it was remembered. In the long form, and where it is asked for, what
   * `demo` still settles has to be over as well; otherwise the next case need not wait for that.
   */
  async expectUnharmed(isThorough = isLong): Promise<void> {
    expect(existsSync(this.canary), "nothing was run").toBe(false);
    const other = await this.#server.get("other");
    expect(other).toMatchObject({ status: 200, body: "other" });
    let found: string[] = [];
    // What reeve starts and ends by itself, and a process that is just being made, are seen for a moment.
    await eventually(() => {
      found = this.#differences().filter((line) => isThorough || !settling.test(line));
      return found.length === 0;
    }, 60_000).catch(() => undefined);
    // What one case left is told once: the next ones are looked at for what they leave themselves.
    if (found.length > 0) this.remember();
    expect(found, "nothing is left over, and nothing is missing").toEqual([]);
  }

  #differences(): string[] {
    const now = this.#look();
    return [
      ...differences("file", this.#standing.files, now.files),
      ...differences("process", this.#standing.processes, now.processes),
      ...differences("lasting process", this.#standing.lasting, now.lasting),
    ];
  }

  #look(): Standing {
    const running = processesUnder(this.#around).filter(
      // What the tests themselves run: clients.
      ({ title }) =>
        !/^(git|ssh|\/usr\/lib\/git-core\/|.* -i )/.test(title) || /receive-pack \//.test(title),
    );
    const ofDemo = this.#server.path("srv", "demo");
    const isDemos = (title: string, folder: string): boolean =>
      folder.startsWith(`${ofDemo}/`) || title.includes("/demo.");
    return {
      files: filesUnder(this.#around),
      processes: running.map(({ title }) => title),
      lasting: running
        .filter(
          ({ title, folder }) => !isDemos(title, folder) && !title.startsWith("nginx: worker"),
        )
        .map(({ pid, title }) => `${pid} ${title}`),
    };
  }
}

/** Whose contents change with every push: objects, what a release and an environment hold, and records. */
const changing =
  /\.git\/objects\/|\/releases\/COMMIT\/|\/(preview-)?envs\/HASH\/|\/envs\/\.cache\/|\/\.staging\/|^home\/(log|tools|lib\/nginx)\/|^home\/lib\/(front|agent)\/.*\.db/;
/** git makes and unmakes these by itself; what a refused preview built waits a day for its next push. */
const passing = /\.git\/(packed-refs|ORIG_HEAD|FETCH_HEAD|logs)$|\/preview-envs\/HASH$/;
/** What a deploy of `demo` has until it is settled. */
const settling =
  /demo\.next-|\/demo\/variables|srv\/demo\/|main\.js|^process (too many|missing): .*\/demo\./;
const leftByGit = /\/objects\/(tmp_|incoming-)/;

function filesUnder(folder: string): string[] {
  const found = new Set<string>();
  const look = (path: string): void => {
    for (const entry of readdirSync(path, { withFileTypes: true })) {
      const full = join(path, entry.name);
      const name = relative(folder, full)
        .replace(/\b[0-9a-f]{40}\b/g, "COMMIT")
        .replace(/\b[0-9a-f]{16}\b/g, "HASH");
      const isLeft = leftByGit.test(name);
      if ((changing.test(name) && !isLeft) || passing.test(name)) continue;
      found.add(`${kindOf(full)} ${name}`);
      if (entry.isDirectory() && !isLeft) tryTo(() => look(full));
    }
  };
  look(folder);
  return [...found].sort();
}

function kindOf(path: string): string {
  try {
    const { mode } = lstatSync(path);
    return ((mode >> 12) & 0o17).toString(8);
  } catch {
    return "gone";
  }
}

/** What a settling deploy removes while it is looked at is gone. */
function tryTo(look: () => void): void {
  try {
    look();
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ENOENT") throw error;
  }
}
