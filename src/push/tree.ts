import { gitCommand, type GitContext } from "../host/git.ts";
import { CommandFailed, type Host } from "../host/host.ts";

/** Larger files than this are nobody's Procfile or requirements. */
const largest = 1024 * 1024;

export interface Entry {
  path: string;
  kind: "file" | "folder" | "absent" | "outside";
  size: number;
}

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
    const asked = paths.filter((path) => !path.includes("\n"));
    const output = await this.#host.run(
      gitCommand(this.#git, ["cat-file", "--batch-check", "--follow-symlinks"], {
        input: asked.map((path) => `${this.#commit}:${path}\n`).join(""),
      }),
    );
    return parseEntries(output, asked);
  }

  /** A file's text; undefined where there is none, or where it is too large to be one. */
  async read(path: string): Promise<Entry & { text: string | undefined }> {
    try {
      const output = await this.#contents(path);
      const [entry = absent(path)] = parseEntries(output, [path]);
      const isText = entry.kind === "file" && entry.size <= largest;
      return { ...entry, text: isText ? output.slice(output.indexOf("\n") + 1, -1) : undefined };
    } catch (error) {
      // More than anybody is to read: a look says what it is.
      if (!(error instanceof CommandFailed)) throw error;
      const [entry = absent(path)] = await this.look([path]);
      return { ...entry, text: undefined };
    }
  }

  async readEntry({ path, kind, size }: Entry): Promise<string | undefined> {
    if (kind !== "file" || size > largest) return undefined;
    return (await this.read(path)).text;
  }

  #contents(path: string): Promise<string> {
    const command = gitCommand(this.#git, ["cat-file", "--batch", "--follow-symlinks"], {
      input: `${this.#commit}:${path}\n`,
      longestOutput: largest + 1024,
    });
    return path.includes("\n") ? Promise.resolve("") : this.#host.run(command);
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

/** `git cat-file --batch-check --follow-symlinks` (git-cat-file(1)): a line each, two where a link leads nowhere. */
export function parseEntries(output: string, paths: string[]): Entry[] {
  const lines = output.split("\n");
  let position = 0;
  return paths.map((path) => {
    const words = (lines[position] ?? "").split(" ");
    position += 1;
    const [first = "", second = ""] = words;
    if (first === "symlink" || first === "dangling" || first === "loop" || first === "notdir") {
      position += 1;
      return { path, kind: first === "symlink" ? "outside" : "absent", size: 0 };
    }
    if (!/^[0-9a-f]{40}$/.test(first)) return { path, kind: "absent", size: 0 };
    return { path, kind: second === "blob" ? "file" : "folder", size: Number(words[2]) };
  });
}
