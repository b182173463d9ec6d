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

/** A developer's repository, with the remote `deploy`. */
export class Workspace {
  readonly folder: string;

  private constructor(folder: string) {
    this.folder = folder;
  }

  static async make(
    folder: string,
    remote: string,
    files: Record<string, string>,
  ): Promise<Workspace> {
    const workspace = new Workspace(folder);
    await workspace.git("init", "--quiet", "--initial-branch=main");
    await workspace.git("remote", "add", "deploy", remote);
    workspace.write(files);
    await workspace.commit("The first commit");
    return workspace;
  }

  /** Writes files; a text of `null` removes one. */
  write(files: Record<string, string | null>): void {
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
      Object.entries(files).map(async ([name, text]) => {
        const blob = await this.#written(["hash-object", "-w", "--stdin"], text);
        return `100644 blob ${blob}\t${name}\n`;
      }),
    );
    const tree = await this.#written(["mktree"], entries.join(""));
    return this.#written(["commit-tree", tree, "-m", subject], "");
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
    files: Record<string, string | null>,
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

  /** git as it runs, to be killed or waited for. Never rejects. */
  start(...words: string[]) {
    return execa("git", words, { cwd: this.folder, env: identity, all: true, reject: false });
  }

  async #written(words: string[], input: string): Promise<string> {
    return (await execa("git", words, { cwd: this.folder, env: identity, input })).stdout.trim();
  }
}
