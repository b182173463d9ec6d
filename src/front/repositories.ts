import { mkdir, readdir, rename, rm } from "node:fs/promises";
import { join } from "node:path";
import { repositoryPath } from "../app/instance.ts";
import { isAppName } from "../app/names.ts";
import type { Layout } from "../config/layout.ts";
import { isPresent } from "../host/files.ts";
import { gitEnvironment } from "../host/git.ts";
import type { Host } from "../host/host.ts";

/** The bare repositories, the front's own. A name has passed the grammar before it gets here. */
export class Repositories {
  readonly #layout: Layout;
  readonly #host: Host;

  constructor(layout: Layout, host: Host) {
    this.#layout = layout;
    this.#host = host;
  }

  path(app: string): string {
    return repositoryPath(this.#layout, app);
  }

  async has(app: string): Promise<boolean> {
    return isPresent(this.path(app));
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

  async #initialize(path: string): Promise<void> {
    const making = `${path}.${process.pid}.making`;
    await rm(making, { recursive: true, force: true });
    await mkdir(making, { mode: 0o700 });
    await this.#host.run({
      file: "git",
      args: ["init", "--quiet", "--bare", "--initial-branch=main", "--template=", "--", making],
      env: gitEnvironment(this.#layout.gitConfiguration),
    });
    await rename(making, path);
  }
}
