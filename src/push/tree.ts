import { gitCommand, type GitContext } from "../host/git.ts";
import { CommandFailed, type Host } from "../host/host.ts";

/** Larger files than this are nobody's Procfile or requirements. */
const largest = 1024 * 1024;

export interface Entry {
  path: string;
  kind: "file" | "folder" | "absent" | "outside";
  size: number;
}

/** A file's text; undefined where there is none, or where it is too large to be one. */
export interface Reading extends Entry {
  text: string | undefined;
}

type Asked = [what: "info" | "contents", path: string];

/** Bytes: paths of a repository can be 4096 long, and git repeats them. */
const longestEntry = 8192;

/**
 * One commit's tree, read from git's objects: nothing is followed on a disk. A link inside the tree is
 * resolved by git itself and cannot lead out of it.
 */
export class CommitTree {
  readonly #host: Host;
  readonly #git: GitContext;
  readonly #commit: string;

  constructor(host: Host, git: GitContext, commit: string) {
    this.#host = host;
    this.#git = git;
    this.#commit = commit;
  }

  async look(paths: string[]): Promise<Entry[]> {
    return parseEntries(await this.#ask(paths.map((path) => ["info", path])), paths).entries;
  }

  async read(path: string): Promise<Reading> {
    return (await this.lookAndRead([], path)).reading;
  }

  /** Both by one git, whose start is what costs. */
  async lookAndRead(
    paths: string[],
    path: string,
  ): Promise<{ entries: Entry[]; reading: Reading }> {
    const all = [...paths, path];
    try {
      const questions: Asked[] = [
        ...paths.map((info): Asked => ["info", info]),
        ["contents", path],
      ];
      const { entries, rest } = parseEntries(await this.#ask(questions), all);
      return withText(entries, rest.slice(0, -1));
    } catch (error) {
      // More than anybody is to read: a look says what it is.
      if (!(error instanceof CommandFailed)) throw error;
      return withText(await this.look(all), undefined);
    }
  }

  async readEntry({ path, kind, size }: Entry): Promise<string | undefined> {
    if (kind !== "file" || size > largest) return undefined;
    return (await this.read(path)).text;
  }

  #ask(questions: Asked[]): Promise<string> {
    const asked = questions.filter(([, path]) => !path.includes("\n"));
    const lines = asked.map(([what, path]) => `${what} ${this.#commit}:${path}\n`);
    const command = gitCommand(this.#git, ["cat-file", "--batch-command", "--follow-symlinks"], {
      input: lines.join(""),
      longestOutput: largest + asked.length * longestEntry,
    });
    return asked.length === 0 ? Promise.resolve("") : this.#host.run(command);
  }

  async folders(): Promise<string[]> {
    const output = await this.#host.run(
      gitCommand(this.#git, ["ls-tree", "-d", "-z", "--name-only", this.#commit]),
    );
    return output.split("\0").filter(Boolean);
  }
}

function absent(path: string): Entry {
  return { path, kind: "absent", size: 0 };
}

/** The last entry is the one whose text was asked for. */
function withText(all: Entry[], text: string | undefined): { entries: Entry[]; reading: Reading } {
  const entries = all.slice(0, -1);
  const last = all.at(-1) ?? absent("");
  const isText = last.kind === "file" && last.size <= largest;
  return { entries, reading: { ...last, text: isText ? text : undefined } };
}

/**
 * What `git cat-file --batch-command --follow-symlinks` says (git-cat-file(1)): a line for each path, two where
 * a link leads nowhere. `rest` is what comes after.
 */
export function parseEntries(output: string, paths: string[]): { entries: Entry[]; rest: string } {
  let rest = output;
  const takeLine = (): string => {
    const end = rest.indexOf("\n");
    const line = end < 0 ? rest : rest.slice(0, end);
    rest = end < 0 ? "" : rest.slice(end + 1);
    return line;
  };
  const entries = paths.map((path): Entry => {
    if (path.includes("\n")) return absent(path);
    const [first = "", second = "", size] = takeLine().split(" ");
    if (first === "symlink" || first === "dangling" || first === "loop" || first === "notdir") {
      takeLine();
      return { path, kind: first === "symlink" ? "outside" : "absent", size: 0 };
    }
    if (!/^[0-9a-f]{40}$/.test(first)) return absent(path);
    return { path, kind: second === "blob" ? "file" : "folder", size: Number(size) };
  });
  return { entries, rest };
}
