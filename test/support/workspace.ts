import { cpSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { execa } from "execa";
import type { Outcome } from "./server.ts";

const identity = {
  GIT_AUTHOR_NAME: "Ada",
  GIT_AUTHOR_EMAIL: "ada@example.org",
  GIT_COMMITTER_NAME: "Ada",
  GIT_COMMITTER_EMAIL: "ada@example.org",
  GIT_TERMINAL_PROMPT: "0",
  GIT_CONFIG_GLOBAL: "/dev/null",
};

/** A line of a tree; without a mode it is a file. */
export interface TreeEntry {
  mode?: string;
  name: string | Buffer;
  id: string;
}

/** A developer's repository, with the remote `deploy`. */
export class Workspace {
  #folder = "";

  static async make(
    folder: string,
    remote: string,
    files: Record<string, string>,
  ): Promise<Workspace> {
    return new Workspace().begin(folder, remote, files);
  }

  /** Makes the repository. */
  async begin(folder: string, remote: string, files: Record<string, string>): Promise<this> {
    this.#folder = folder;
    await this.git("init", "--quiet", "--initial-branch=main");
    await this.git("remote", "add", "deploy", remote);
    this.write(files);
    await this.commit("The first commit");
    return this;
  }

  get folder(): string {
    if (this.#folder === "") throw new Error("the workspace is not there yet");
    return this.#folder;
  }

  /** Another repository, as one to push from. */
  within(folder: string): Workspace {
    const other = new Workspace();
    other.#folder = folder;
    return other;
  }

  /** Writes files; a text of `null` removes one. */
  write(files: Record<string, string | Buffer | null>): void {
    for (const [name, text] of Object.entries(files)) {
      const path = join(this.folder, name);
      if (text === null) rmSync(path, { recursive: true, force: true });
      else {
        mkdirSync(dirname(path), { recursive: true });
        writeFileSync(path, text);
      }
    }
  }

  copy(from: string): void {
    cpSync(from, this.folder, { recursive: true });
  }

  read(name: string): string {
    return readFileSync(join(this.folder, name), "utf8");
  }

  /** Commits everything; resolves to the commit's id. */
  async commit(subject: string): Promise<string> {
    await this.git("add", "--all");
    await this.git("commit", "--quiet", "--allow-empty", "--message", subject);
    return this.head();
  }

  /** A commit of these files alone, beside the branch: several may be made at once. */
  async commitBeside(files: Record<string, string>, subject: string): Promise<string> {
    const entries = await Promise.all(
      Object.entries(files)
        .sort(([one], [other]) => (one < other ? -1 : 1))
        .map(async ([name, text]) => ({ name, id: await this.blob(text) })),
    );
    return this.commitTree(entries, subject);
  }

  /** A commit of a tree to the letter, which git itself would never write. */
  async commitTree(entries: TreeEntry[], subject: string, parents: string[] = []): Promise<string> {
    const tree = await this.tree(entries);
    const words = parents.flatMap((parent) => ["-p", parent]);
    return this.#written(["commit-tree", tree, ...words, "-m", subject], "");
  }

  async tree(entries: TreeEntry[]): Promise<string> {
    const bytes = entries.flatMap(({ mode = "100644", name, id }) => [
      Buffer.from(`${mode} `),
      Buffer.from(name),
      Buffer.from([0]),
      Buffer.from(id, "hex"),
    ]);
    return this.object("tree", Buffer.concat(bytes));
  }

  async blob(text: string | Buffer): Promise<string> {
    return this.object("blob", text);
  }

  /** Any bytes as an object: git does not look at them. */
  async object(type: string, bytes: string | Buffer): Promise<string> {
    return this.#written(["hash-object", "-w", "-t", type, "--literally", "--stdin"], bytes);
  }

  /** A pack of these objects and all that they lead to. */
  async pack(ids: string[]): Promise<Buffer> {
    const words = ["pack-objects", "--revs", "--stdout", "--quiet"];
    const input = ids.map((id) => `${id}\n`).join("");
    // One pack in 256 ends with the byte of a newline.
    const whole = { encoding: "buffer", stripFinalNewline: false } as const;
    const options = { cwd: this.folder, env: identity, input, ...whole };
    return Buffer.from((await execa("git", words, options)).stdout);
  }

  async head(): Promise<string> {
    return (await this.git("rev-parse", "HEAD")).output.trim();
  }

  /** `git push deploy …`, with what the pusher sees. */
  async push(...words: string[]): Promise<Outcome> {
    const result = await this.start("push", "deploy", ...(words.length === 0 ? ["main"] : words));
    return { exitCode: result.exitCode ?? -1, output: result.all };
  }

  /** Changes files, commits and pushes to main. */
  async deploy(
    files: Record<string, string | Buffer | null>,
    subject = "A change",
  ): Promise<Outcome & { commit: string }> {
    this.write(files);
    const commit = await this.commit(subject);
    return { ...(await this.push("+HEAD:main")), commit };
  }

  /** The branch's commit on the server. */
  async remoteCommit(ref = "refs/heads/main"): Promise<string> {
    const { output } = await this.git("ls-remote", "deploy", ref);
    return output.split("\t")[0] ?? "";
  }

  async git(...words: string[]): Promise<Outcome> {
    const result = await this.start(...words);
    if (result.exitCode !== 0) throw new Error(`git ${words.join(" ")}:\n${result.all}`);
    return { exitCode: 0, output: result.all };
  }

  /** Runs a line that the pusher was told, as a shell does. */
  async run(line: string): Promise<Outcome> {
    const options = { cwd: this.folder, env: identity, all: true, reject: false } as const;
    const result = await execa("sh", ["-c", line], options);
    return { exitCode: result.exitCode ?? -1, output: result.all };
  }

  /** git as it runs, to be killed or waited for. Never rejects. */
  start(...words: string[]) {
    return execa("git", words, { cwd: this.folder, env: identity, all: true, reject: false });
  }

  async #written(words: string[], input: string | Buffer): Promise<string> {
    return (await execa("git", words, { cwd: this.folder, env: identity, input })).stdout.trim();
  }
}
