import { posix } from "node:path";
import { gitCommand, type GitContext } from "../../system/git.ts";
import { CommandFailed, type System } from "../../system/system.ts";
import { declarations } from "./declarations.ts";
import { subjectOf } from "./subject.ts";

/** Larger files than this are nobody's Procfile or requirements. */
const largest = 1024 * 1024;
/** Bytes that git may say of one path: it can be 4096 long, and is repeated. */
const longestHeader = 8192;
/** Bytes of the names of folders among which an app may be looked for. */
const longestNames = 256 * 1024;

export interface Entry {
  path: string;
  kind: "file" | "folder" | "absent" | "outside";
  size: number;
  /** Only where it was read, and is not too large to be text that anybody wrote. */
  bytes?: Buffer;
}

interface Asked {
  what: "info" | "contents";
  /** In the commit's tree; the commit itself without one. */
  path?: string;
}

/** What most apps have is asked for together with the commit: the start of a git is what costs. */
function usualIn(root: string): Asked[] {
  return [
    ...(root === "" ? [] : [{ what: "info", path: root } as const]),
    { what: "contents", path: posix.join(root, "Procfile") },
    { what: "info", path: posix.join(root, "app.py") },
    { what: "info", path: posix.join(root, "wsgi.py") },
    { what: "contents", path: posix.join(root, "requirements.txt") },
    ...declarations.map((name) => ({ what: "info", path: posix.join(root, name) }) as const),
  ];
}

/**
 * One commit and its tree, read from git's objects: nothing is followed on a disk. A link inside the tree is
 * resolved by git itself and cannot lead out of it.
 */
export class CommitTree {
  readonly subject: string;
  readonly #reader: Reader;
  readonly #known: ReadonlyMap<string, Entry>;

  private constructor(reader: Reader, subject: string, entries: Entry[]) {
    this.subject = subject;
    this.#reader = reader;
    this.#known = new Map(entries.map((entry) => [entry.path, entry]));
  }

  /**
   * `root`: the folder of the tree in which an app has what most apps have. `tree`: what is in it, where that is more
   * than git has by the commit's own name.
   */
  static async open(
    system: System,
    git: GitContext,
    commit: string,
    { root = "", tree = commit }: { root?: string; tree?: string } = {},
  ): Promise<CommitTree> {
    const reader = new Reader(system, git, { commit, tree });
    const [self, ...entries] = await reader.ask([{ what: "contents" }, ...usualIn(root)]);
    return new CommitTree(reader, subjectOf(self?.bytes ?? Buffer.alloc(0)), entries);
  }

  async look(paths: string[]): Promise<Entry[]> {
    const unknown = paths.filter((path) => !this.#known.has(path));
    const asked = await this.#reader.ask(unknown.map((path) => ({ what: "info", path })));
    const found = new Map(asked.map((entry) => [entry.path, entry]));
    return paths.map((path) => this.#known.get(path) ?? found.get(path) ?? absent(path));
  }

  /** A file's text; undefined where there is none, or where it is too large to be one. */
  async read(path: string): Promise<string | undefined> {
    return (await this.readBytes(path))?.toString();
  }

  async readBytes(path: string): Promise<Buffer | undefined> {
    let entry = this.#known.get(path);
    if (!entry || (entry.kind === "file" && !entry.bytes))
      [entry] = await this.#reader.ask([{ what: "contents", path }]);
    return entry?.kind === "file" ? entry.bytes : undefined;
  }

  /** The folders in a folder of the tree, by their whole paths. */
  folders(root: string): Promise<string[]> {
    return this.#reader.folders([], root === "" ? [] : [`${root}/`]);
  }

  /** All folders of the tree. */
  allFolders(): Promise<string[]> {
    return this.#reader.folders(["-r"]);
  }
}

class Reader {
  readonly #host: System;
  readonly #git: GitContext;
  readonly #commit: string;
  readonly #tree: string;

  constructor(system: System, git: GitContext, { commit, tree }: { commit: string; tree: string }) {
    this.#host = system;
    this.#git = git;
    this.#commit = commit;
    this.#tree = tree;
  }

  /** All by one git, unless that is more than anybody is to read: then one by one, and what is too large is only looked at. */
  async ask(requests: Asked[]): Promise<Entry[]> {
    const command = gitCommand(this.#git, ["cat-file", "--batch-command", "--follow-symlinks"], {
      input: requests
        .filter(isAskable)
        .map((request) => this.#line(request))
        .join(""),
      encoding: "latin1",
      longestOutput: requests.map(longestReply).reduce((sum, length) => sum + length, 0),
    });
    try {
      const output = requests.some(isAskable) ? await this.#host.run(command) : "";
      return parseReplies(output, requests);
    } catch (error) {
      if (!(error instanceof CommandFailed)) throw error;
      const [first, ...others] = requests;
      if (first && others.length === 0 && first.what === "contents")
        return this.ask([{ ...first, what: "info" }]);
      if (others.length === 0) throw error;
      const entries: Entry[] = [];
      for (const request of requests) entries.push(...(await this.ask([request])));
      return entries;
    }
  }

  /** None where there are more than anybody made by hand. */
  async folders(options: string[], paths: string[] = []): Promise<string[]> {
    const listing = ["ls-tree", "-d", ...options, "-z", "--name-only", this.#tree, ...paths];
    try {
      const output = await this.#host.run(
        gitCommand(this.#git, listing, { longestOutput: longestNames }),
      );
      return output.split("\0").filter(Boolean);
    } catch (error) {
      if (error instanceof CommandFailed && error.tooLong) return [];
      throw error;
    }
  }

  #line({ what, path }: Asked): string {
    return `${what} ${path === undefined ? this.#commit : `${this.#tree}:${path}`}\n`;
  }
}

function isAskable({ path }: Asked): boolean {
  return path?.includes("\n") !== true;
}

function longestReply({ what }: Asked): number {
  return longestHeader + (what === "contents" ? largest : 0);
}

function absent(path: string): Entry {
  return { path, kind: "absent", size: 0 };
}

/**
 * What `git cat-file --batch-command --follow-symlinks` says (git-cat-file(1)), one character for each byte: a
 * header, and what was asked for behind it; or a word, a length and a target, where a link leads to no file.
 */
export function parseReplies(output: string, requests: Asked[]): Entry[] {
  let position = 0;
  const take = (length: number): string => {
    const taken = output.slice(position, position + length);
    position += length + 1;
    return taken;
  };
  return requests.map((request): Entry => {
    const { what, path = "" } = request;
    const end = output.indexOf("\n", position);
    if (!isAskable(request) || end < 0) return absent(path);
    const [first = "", second = "", third] = take(end - position).split(" ");
    if (/^(symlink|dangling|loop|notdir)$/.test(first)) {
      take(Number(second));
      return { path, kind: first === "symlink" ? "outside" : "absent", size: 0 };
    }
    if (!/^[0-9a-f]{40}$/.test(first)) return absent(path);
    const size = Number(third);
    const kind = second === "tree" ? "folder" : "file";
    if (what === "info") return { path, kind, size };
    const bytes = Buffer.from(take(size), "latin1");
    return { path, kind, size, ...(size <= largest ? { bytes } : {}) };
  });
}
