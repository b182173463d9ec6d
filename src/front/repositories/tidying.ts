import { stat } from "node:fs/promises";
import type { Logger } from "pino";
import type { AgentClient } from "../../protocol/client.ts";
import { removeFile } from "../../system/files.ts";
import { gitCommand, unclaimedPath, type GitContext } from "../../system/git.ts";
import type { System } from "../../system/system.ts";
import { workingFolders } from "../../system/processes.ts";
import type { AppMaker } from "./app-maker.ts";
import type { Repositories } from "./repositories.ts";

interface TidyingWorld {
  system: System;
  log: Logger;
  gitOf: (app: string) => GitContext;
  repositories: Pick<Repositories, "list">;
  agent: Pick<AgentClient, "ask">;
  apps: Pick<AppMaker, "whileIdle">;
}

/** Milliseconds after a push before anything is done about what it left. */
const quiet = 5000;
/** Pushes after which a repository is looked at that has nothing unclaimed: each adds loose objects or a pack. */
const mostPushes = 100;
/** Loose objects and packs that git finds its way through without anybody's noticing. */
const mostLoose = 2000;
const mostPacks = 20;
/** Of its time, one part in so many goes into one repository. */
const share = 20;
/** Milliseconds for one git of these, and before what went wrong is tried again. */
const deadline = 30 * 60_000;
const pause = 10 * 60_000;

interface Known {
  /** When what it has unclaimed was noted, in milliseconds; 0 where it has nothing. */
  noted: number;
  pushes: number;
  /** Not before. */
  next: number;
}

/**
 * Removes from the repositories what belongs to no ref and no kept release, and packs them anew where that is worth
 * it: one after the other, while nobody pushes there. Each is looked at once after the start.
 */
export class Tidying {
  readonly #world: TidyingWorld;
  readonly #known = new Map<string, Known>();
  #isWorking = false;

  constructor(world: TidyingWorld) {
    this.#world = world;
  }

  pushed(app: string): void {
    const known = this.#known.get(app);
    if (known) known.pushes += 1;
  }

  /** Tidies one repository that needs it, unless that is being done already. */
  async next(): Promise<void> {
    if (this.#isWorking) return;
    this.#isWorking = true;
    try {
      for (const app of await this.#world.repositories.list())
        if (await this.#tidyIfDue(app, await this.#notedAt(app))) return;
    } finally {
      this.#isWorking = false;
    }
  }

  async #notedAt(app: string): Promise<number> {
    const path = unclaimedPath(this.#world.gitOf(app).repository);
    return stat(path).then(
      ({ mtimeMs }) => mtimeMs,
      () => 0,
    );
  }

  async #tidyIfDue(app: string, noted: number): Promise<boolean> {
    const known = this.#known.get(app);
    const isDue = !known || noted > known.noted || known.pushes >= mostPushes;
    const begun = Date.now();
    if (!isDue || begun < (known?.next ?? 0) || begun < noted + quiet) return false;
    try {
      const isDone = await this.#world.apps.whileIdle(app, (signal) => this.#tidy(app, signal));
      if (!isDone) return false;
      const next = Date.now() + share * (Date.now() - begun);
      this.#known.set(app, { noted, pushes: 0, next });
    } catch (error) {
      this.#world.log.warn({ err: error, app }, "could not tidy a repository");
      this.#known.set(app, { noted: 0, pushes: mostPushes, next: Date.now() + pause });
    }
    return true;
  }

  async #tidy(app: string, signal: AbortSignal): Promise<boolean> {
    const { agent, gitOf } = this.#world;
    const { repository } = gitOf(app);
    // A push may outlive the front that knew of it.
    if ((await workingFolders()).has(repository)) return false;
    await agent.ask("pinReleases", { app }, { signal });
    await this.#git(app, ["prune", "--expire=now"], signal);
    const needed = await this.#count(app, ["--all"], signal);
    if (isWorthPacking(await this.#held(app, signal), needed))
      await this.#git(app, ["repack", "-a", "-d", "-l", "-n", "-q"], signal);
    const shown = await this.#count(app, ["--exclude-hidden=receive", "--all"], signal);
    const { loose, packed } = await this.#held(app, signal);
    if (shown === needed && loose + packed === needed) await removeFile(unclaimedPath(repository));
    return true;
  }

  /** It ends with the front: nobody would keep a push from beginning beside it. */
  async #git(
    app: string,
    words: string[],
    signal: AbortSignal,
    onLine?: (line: string) => void,
  ): Promise<string> {
    const { system, gitOf } = this.#world;
    const own = { name: "", uid: process.getuid?.() ?? 0, gid: process.getgid?.() ?? 0 };
    const command = { ...gitCommand({ ...gitOf(app), as: own }, words), deadline };
    return system.run(command, onLine ? { onLine, signal } : { signal });
  }

  /** How many objects these refs lead to. */
  async #count(app: string, refs: string[], signal: AbortSignal): Promise<number> {
    let count = 0;
    const words = ["rev-list", "--objects", "--no-object-names", ...refs];
    await this.#git(app, words, signal, () => (count += 1));
    return count;
  }

  async #held(app: string, signal: AbortSignal): Promise<Held> {
    const said = await this.#git(app, ["count-objects", "-v"], signal);
    const counts = new Map(
      said.split("\n").map((line) => {
        const [name = "", count = ""] = line.split(": ");
        return [name, Number(count)];
      }),
    );
    const of = (name: string): number => counts.get(name) ?? 0;
    return { loose: of("count"), packed: of("in-pack"), packs: of("packs") };
  }
}

interface Held {
  loose: number;
  packed: number;
  packs: number;
}

/** An object that two packs have, or that nobody needs, is one too many. */
function isWorthPacking({ loose, packed, packs }: Held, needed: number): boolean {
  return loose + packed > needed || loose > mostLoose || packs > mostPacks;
}
