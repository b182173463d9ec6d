import { execFileSync } from "node:child_process";
import { chownSync } from "node:fs";
import type { GitContext } from "../../src/system/git.ts";
import type { Identity } from "../../src/system/system.ts";
import { temporaryFolder } from "./unit-folder.ts";

const environment = {
  PATH: process.env["PATH"] ?? "",
  HOME: "/nonexistent",
  GIT_CONFIG_NOSYSTEM: "1",
  GIT_CONFIG_GLOBAL: "/dev/null",
};

/** A file's text, a program's, a link's target, another repository's commit, or nothing: the path is removed. */
type Content = string | { program: string } | { link: string } | { commit: string } | null;

export type Files = Record<string, Content>;

/** A real bare repository, owned by whoever is to run git in it. */
export class Repository {
  readonly folder: string;
  readonly git: GitContext;
  readonly #owner: Identity | undefined;
  #head: string | undefined;
  #clock = 1_700_000_000;

  constructor({ owner, folder }: { owner?: Identity; folder?: string } = {}) {
    this.folder = folder ?? temporaryFolder();
    this.#owner = owner;
    if (owner) chownSync(this.folder, owner.uid, owner.gid);
    this.run(["init", "--quiet", "--bare", "--template=", "--initial-branch=main"]);
    this.git = { repository: this.folder, configuration: "/dev/null", as: owner };
  }

  /** Commits these changes to main, on top of what is there; the commit's id. */
  commit(changes: Files, subject = "A change"): string {
    this.#clock += 1;
    const from = this.#head === undefined ? "" : `from ${this.#head}\n`;
    const entries = Object.entries(changes).map(([name, content]) => entryOf(name, content));
    const stream = [
      "commit refs/heads/main\nmark :1\n",
      `committer Ada <ada@example.org> ${this.#clock} +0000\n`,
      data(subject),
      from,
      ...entries,
      "get-mark :1\n",
    ].join("");
    this.#head = this.run(["fast-import", "--quiet", "--force"], stream).trim();
    return this.#head;
  }

  /** A commit of these files and no others. */
  snapshot(files: Files): string {
    this.#head = undefined;
    return this.commit(files);
  }

  run(words: string[], input = ""): string {
    const user = this.#owner && { uid: this.#owner.uid, gid: this.#owner.gid };
    return execFileSync("git", words, {
      cwd: this.folder,
      env: environment,
      encoding: "utf8",
      input,
      ...user,
    });
  }
}

/** As git-fast-import(1) reads them. */
function entryOf(name: string, content: Content): string {
  const path = JSON.stringify(name);
  if (content === null) return `D ${path}\n`;
  if (typeof content === "string") return `M 100644 inline ${path}\n${data(content)}`;
  if ("commit" in content) return `M 160000 ${content.commit} ${path}\n`;
  return "link" in content
    ? `M 120000 inline ${path}\n${data(content.link)}`
    : `M 100755 inline ${path}\n${data(content.program)}`;
}

function data(text: string): string {
  return `data ${Buffer.byteLength(text)}\n${text}\n`;
}
