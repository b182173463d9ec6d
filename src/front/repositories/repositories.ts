import { mkdir, readdir, rename } from "node:fs/promises";
import { basename, join } from "node:path";
import { simpleGit } from "simple-git";
import { repositoryPath } from "../../names/instance.ts";
import { isAppName } from "../../names/names.ts";
import type { Layout } from "../../config/layout.ts";
import { UserError } from "../../errors.ts";
import { waitFor } from "../../system/clock.ts";
import { isPresent, kindOf, readIfPresent, writeAtomically } from "../../system/files.ts";
import { gitEnvironment } from "../../system/git.ts";
import type { System } from "../../system/system.ts";
import { workingFolders } from "../../system/processes.ts";
import { starting } from "../../system/starting.ts";
import { removeTrees } from "../../system/walker.ts";

const ownMaking = `.${process.pid}.making`;

/**
 * The attributes of a repository win over those that a commit brings (gitattributes(5)). What these would change in
 * a file's bytes on its way to the disk makes it many times as large as was counted, and each pattern of a commit's
 * would be matched with each file.
 */
const attributes = "* !text !crlf !eol !ident !filter !working-tree-encoding\n";

/** The bare repositories, the front's own. A name has passed the grammar before it gets here. */
export class Repositories {
  readonly #layout: Layout;
  readonly #host: System;
  readonly #expected = new Set<string>();
  #emptying: Promise<void> | undefined;

  constructor(layout: Layout, system: System) {
    this.#layout = layout;
    this.#host = system;
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

  /** Whether anything was ever pushed that stayed. */
  async hasRefs(app: string): Promise<boolean> {
    const path = this.path(app);
    if ((await readIfPresent(join(path, "packed-refs"))) !== undefined) return true;
    const found = await readdir(join(path, "refs"), { recursive: true, withFileTypes: true });
    return found.some((entry) => entry.isFile());
  }

  async remove(app: string): Promise<void> {
    await removeTrees(this.#host, this.path(app));
  }

  /** Stands for an app that a push may create: it is advertised, so that looking alone creates nothing. */
  async empty(): Promise<string> {
    const path = join(this.#layout.frontState, "empty.git");
    if (await isPresent(path)) return path;
    // Several may ask at once who are the first.
    this.#emptying ??= this.#initialize(path).finally(() => (this.#emptying = undefined));
    await this.#emptying;
    return path;
  }

  async list(): Promise<string[]> {
    const names = (await readdir(this.#layout.repositories)).map((name) =>
      name.replace(/\.git$/, ""),
    );
    return names.filter(isAppName);
  }

  /** Gives every repository the attributes that a new one is made with. */
  async furnish(): Promise<void> {
    for (const app of await this.list()) {
      const path = this.path(app);
      if ((await kindOf(path)) === "folder") await furnish(path);
    }
  }

  /**
   * Removes what a git that was killed left behind, once nobody works there any more: reeve may be packing the
   * repository just now. Resolves to what it removed, and which locks it left where that takes longer.
   */
  async sweep(timeout = 5000): Promise<string[]> {
    const names = await readdir(this.#layout.repositories);
    const swept: string[] = [];
    let busy: Leavings[] = names.map((name) => ({ name, files: [] }));
    const isSwept = async (): Promise<boolean> => {
      const seen = await this.#sweep(busy.map(({ name }) => name));
      swept.push(...seen.swept);
      busy = seen.busy;
      return busy.length === 0;
    };
    await waitFor(isSwept, { within: timeout, every: 100 });
    for (const { name, files } of busy) {
      for (const file of files.filter((one) => one.endsWith(".lock")))
        if (await isPresent(join(this.#layout.repositories, name, file)))
          swept.push(
            `${name}: ${file} left, since a git works there; when it has ended: reeve reconcile`,
          );
    }
    for (const name of names) {
      if (!name.endsWith(".making") || name.endsWith(ownMaking)) continue;
      await removeTrees(this.#host, join(this.#layout.repositories, name));
      swept.push(`${name}: begun and left, removed`);
    }
    return swept;
  }

  /** A git of this app has ended, perhaps in the midst of its work: its locks would keep every later push away. */
  expectLeavings(app: string): void {
    this.#expected.add(app);
  }

  /** Removes what such gits left, as soon as nobody works there any more: their hooks may outlive them for a while. */
  async sweepExpected(): Promise<void> {
    for (const app of [...this.#expected]) {
      this.#expected.delete(app);
      const { busy } = await this.#sweep([basename(this.path(app))]);
      if (busy.length > 0) this.#expected.add(app);
    }
  }

  /** What is there is looked at before who works on it: a git that starts after that has nothing of its own removed. */
  async #sweep(names: string[]): Promise<{ swept: string[]; busy: Leavings[] }> {
    const left: Leavings[] = [];
    for (const name of names.filter((one) => one.endsWith(".git"))) {
      const path = join(this.#layout.repositories, name);
      const files = (await kindOf(path)) === "folder" ? await leavings(path) : [];
      if (files.length > 0) left.push({ name, files });
    }
    if (left.length === 0) return { swept: [], busy: [] };

    const folders = await workingFolders();
    const swept: string[] = [];
    const pathOf = ({ name }: Leavings): string => join(this.#layout.repositories, name);
    const busy = left.filter((one) => folders.has(pathOf(one)));
    for (const one of left.filter((other) => !busy.includes(other))) {
      const { name, files } = one;
      const path = pathOf(one);
      for (const file of files) {
        // A git that ended well has taken its own away.
        if (!(await isPresent(join(path, file)))) continue;
        await removeTrees(this.#host, join(path, file));
        swept.push(`${name}: ${file} removed`);
      }
    }
    return { swept, busy };
  }

  async #initialize(path: string): Promise<void> {
    const making = `${path}${ownMaking}`;
    await removeTrees(this.#host, making);
    await mkdir(making, { mode: 0o700 });
    // It warns of what others may have written: this configuration is ours, and of templates there is none.
    const git = simpleGit(making, {
      unsafe: { allowUnsafeTemplateDir: true, allowUnsafeConfigPaths: true },
    }).env({ PATH: process.env["PATH"], ...gitEnvironment(this.#layout.gitConfiguration) });
    await starting(() => git.init(true, ["--quiet", "--initial-branch=main", "--template="]));
    await furnish(making);
    await rename(making, path);
  }
}

/** Of one repository. */
interface Leavings {
  name: string;
  files: string[];
}

async function furnish(repository: string): Promise<void> {
  const folder = join(repository, "info");
  const file = join(folder, "attributes");
  if ((await readIfPresent(file)) === attributes) return;
  await mkdir(folder, { recursive: true, mode: 0o700 });
  await writeAtomically(file, attributes, { mode: 0o600 });
}

/**
 * A lock on a ref keeps every later push away; a quarantine folder (git-receive-pack(1)) and a pack that was begun hold
 * their objects for ever.
 * `each-PID` is a word of hooks/pre-receive to `update`.
 */
async function leavings(path: string): Promise<string[]> {
  const names: string[] = [];
  for (const folder of ["", "refs", "objects", "objects/pack"]) {
    const recursive = folder === "refs";
    const found = await readdir(join(path, folder), { recursive }).catch(() => []);
    names.push(...found.map((name) => join(folder, name)));
  }
  return names.filter((name) => left.test(name));
}

const left =
  /\.lock$|^objects\/(?:tmp_objdir|incoming)-|^objects\/pack\/(?:tmp_|\.tmp-)|^each-\d+$/;
