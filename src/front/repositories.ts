import { mkdir, readdir, rename, rm } from "node:fs/promises";
import { basename, join } from "node:path";
import { simpleGit } from "simple-git";
import { repositoryPath } from "../app/instance.ts";
import { isAppName } from "../app/names.ts";
import type { Layout } from "../config/layout.ts";
import { UserError } from "../errors.ts";
import { isPresent, kindOf } from "../host/files.ts";
import { gitEnvironment } from "../host/git.ts";
import { workingFolders } from "../host/processes.ts";

/** The bare repositories, the front's own. A name has passed the grammar before it gets here. */
export class Repositories {
  readonly #layout: Layout;

  constructor(layout: Layout) {
    this.#layout = layout;
  }

  path(app: string): string {
    return repositoryPath(this.#layout, app);
  }

  /** Only a folder is a repository: what else somebody put into its place is neither followed nor replaced. */
  async has(app: string): Promise<boolean> {
    const kind = await kindOf(this.path(app));
    if (kind === "folder" || kind === "absent") return kind === "folder";
    throw new UserError(
      "SYSTEM_REFUSED",
      `${basename(this.path(app))} is no folder, so there is no repository of ${app}`,
      { hint: "The server's administrator can move it away; then push again." },
    );
  }

  async create(app: string): Promise<void> {
    if (await this.has(app)) return;
    await this.#initialize(this.path(app));
  }

  async remove(app: string): Promise<void> {
    await rm(this.path(app), { recursive: true, force: true });
  }

  /** Stands for an app that a push may create: it is advertised, so that looking alone creates nothing. */
  async empty(): Promise<string> {
    const path = join(this.#layout.frontState, "empty.git");
    if (!(await isPresent(path))) await this.#initialize(path);
    return path;
  }

  async list(): Promise<string[]> {
    const names = (await readdir(this.#layout.repositories)).map((name) =>
      name.replace(/\.git$/, ""),
    );
    return names.filter(isAppName);
  }

  /** Removes what a git that was killed left behind, and nobody works on any more. Resolves to what it removed. */
  async sweep(): Promise<string[]> {
    const swept: string[] = [];
    const folders = await workingFolders();
    for (const name of await readdir(this.#layout.repositories)) {
      const path = join(this.#layout.repositories, name);
      if (folders.has(path)) continue;
      if (name.endsWith(".making")) {
        await rm(path, { recursive: true, force: true });
        swept.push(`${name}: begun and left, removed`);
      } else {
        swept.push(...(await sweepRepository(path)).map((file) => `${name}: ${file} removed`));
      }
    }
    return swept;
  }

  /** The same for one app, whose git has just ended in the midst of its work. */
  async sweepOne(app: string): Promise<void> {
    const path = this.path(app);
    if ((await workingFolders()).has(path)) return;
    await sweepRepository(path);
  }

  async #initialize(path: string): Promise<void> {
    const making = `${path}.${process.pid}.making`;
    await rm(making, { recursive: true, force: true });
    await mkdir(making, { mode: 0o700 });
    // It warns of what others may have written: this configuration is ours, and of templates there is none.
    await simpleGit(making, {
      unsafe: { allowUnsafeTemplateDir: true, allowUnsafeConfigPaths: true },
    })
      .env({ PATH: process.env["PATH"], ...gitEnvironment(this.#layout.gitConfiguration) })
      .init(true, ["--quiet", "--initial-branch=main", "--template="]);
    await rename(making, path);
  }
}

/** A lock on a ref keeps every later push away; a quarantine folder (git-receive-pack(1)) holds its objects for ever. */
async function sweepRepository(path: string): Promise<string[]> {
  const names = [
    ...(await readdir(path).catch(() => [])),
    ...(await readdir(join(path, "refs"), { recursive: true }).catch(() => [])).map((name) =>
      join("refs", name),
    ),
    ...(await readdir(join(path, "objects")).catch(() => [])).map((name) => join("objects", name)),
  ];
  const left = names.filter((name) => /\.lock$|^objects\/(tmp_objdir|incoming)-/.test(name));
  for (const name of left) await rm(join(path, name), { recursive: true, force: true });
  return left;
}
