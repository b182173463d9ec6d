import type { Instance } from "../app/instance.ts";
import { isPreviewName } from "../app/names.ts";
import type { AppOptions } from "../config/app-options.ts";
import { leadsTo } from "../host/files.ts";
import { milliseconds, sleep } from "../host/clock.ts";
import { layOutStaging } from "../release/release.ts";
import { mendSettings } from "../settings/settings.ts";
import type { Deploy } from "../store/agent-store.ts";
import { isEmperorDown } from "../vassal/emperor.ts";
import { retireOnDemand } from "../vassal/on-demand.ts";
import { holdVassal } from "../vassal/vassal.ts";
import { bringOver, expectServing, putToSleep } from "./bring-over.ts";
import { optionsOf, pathsOf, releaseContext, type DeployContext } from "./context.ts";
import { prune } from "./kept.ts";
import { findSleepers, seatOf } from "./seat.ts";
import { Traffic } from "./traffic.ts";
import { findUnderstudies, retireUnderstudy, type Understudy } from "./understudy.ts";

/** Milliseconds, long enough for the requests that wait in a vassal's queue to be taken by a worker (measured: 1 s). */
export const drain = 1000;
/** After this long a degraded instance is tried again. */
const retryAfter = 30_000;
const retrySoon = 2000;

/** One settling: of this deploy, until a newer one supersedes it. */
interface Task {
  instance: string;
  deploy: number;
  isSuperseded: () => boolean;
  /** Throws where the deploy was superseded: what comes next is not its to do any more. */
  goOn: () => void;
  supersede: () => void;
  done: Promise<void>;
}

/**
 * Settling is what follows a deploy that is live: behind the understudy, which carries the traffic, the
 * permanent vassal is brought to the same release; then it takes the traffic back. Every step asks first
 * whether a newer deploy has come, which then settles in its place.
 */
export class Settler {
  readonly traffic = new Traffic();
  readonly #tasks = new Map<string, Task>();
  readonly #retiring = new Map<string, Set<Promise<void>>>();
  readonly #tidying = new Map<string, Promise<unknown>>();
  #context: DeployContext | undefined;

  /** The context holds the settler and the settler needs the context: they are made known to each other here. */
  attach(context: DeployContext): void {
    this.#context = context;
  }

  /** A newer deploy takes the traffic: nothing of the former one may move it any more. */
  supersede(instance: string): void {
    this.#tasks.get(instance)?.supersede();
  }

  start(instance: string, deploy: number): void {
    const former = this.#tasks.get(instance);
    former?.supersede();
    const cancel = new AbortController();
    const task: Task = {
      instance,
      deploy,
      isSuperseded: () => cancel.signal.aborted,
      goOn: () => cancel.signal.throwIfAborted(),
      supersede: () => cancel.abort(),
      done: Promise.resolve(),
    };
    task.done = (former?.done ?? Promise.resolve())
      .then(() => this.#settle(task))
      .catch((error: unknown) => this.#degrade(task, error))
      .catch((error: unknown) => {
        this.#expectContext().log.error({ err: error, instance }, "could not settle");
        this.#again(task, retrySoon);
      });
    this.#tasks.set(instance, task);
  }

  /** Resolves when no deploy of the instance is settling, well or not. */
  async rested(instance: string): Promise<void> {
    await this.#tasks.get(instance)?.done;
  }

  /** Resolves when nothing moves about the instance any more. */
  async idle(instance: string): Promise<void> {
    await this.rested(instance);
    await this.#allRetired(instance);
    await this.tidied(instance);
  }

  /**
   * Removes what is no longer needed, and lays out the staging tree for the next checkout. Resolves to what
   * was removed, in words.
   */
  async tidy(instance: string): Promise<string[]> {
    const context = this.#expectContext();
    const row = context.store.instance(instance);
    // A deploy that has the lock may be using what would be removed; its own settling tidies.
    if (!row || context.locks.isHeld(instance)) return [];
    const work = this.tidied(instance)
      .then(() => mendSettings(context.host, pathsOf(context, instance).settings))
      .then(() => prune(context, row))
      .then(async (removed) => {
        await layOutStaging(releaseContext(context, row));
        return removed;
      });
    this.#tidying.set(instance, work);
    return work.finally(() => {
      if (this.#tidying.get(instance) === work) this.#tidying.delete(instance);
    });
  }

  /** A deploy waits here before it looks for what is on disk. */
  async tidied(instance: string): Promise<void> {
    await this.#tidying.get(instance)?.catch(() => undefined);
  }

  async #settle(task: Task): Promise<void> {
    const context = this.#expectContext();
    const { store } = context;
    const row = store.instance(task.instance);
    const deploy = store.deploy(task.deploy);
    if (!row || !deploy) return;
    const options = await optionsOf(context, row.app);
    const paths = pathsOf(context, row.name);

    // An attempt before this one may have failed when the vassal had the traffic already.
    const cover = await this.#cover(task);
    if (cover) await this.#carryBy(task, cover);
    await this.#drain(task);
    task.goOn();
    // The traffic is with this deploy's understudy: those of former deploys have done their part.
    await this.retireUnderstudies(row, options, deploy.number - 1);
    task.goOn();
    const seat = seatOf(context, row.name, deploy);
    const settling = { row, deploy, options, paths };
    const bring = isPreviewName(row.name) ? putToSleep : bringOver;
    const cut = await bring(context, settling, task.goOn);
    task.goOn();
    if (!isPreviewName(row.name)) await expectServing(context, settling, seat);
    await this.traffic.lead(paths.link, seat.socket, task.goOn);
    store.changeInstance(row.name, { settled: deploy.id, degraded: null });
    this.#note(task, cut ? `settled; requests were cut after ${options.grace} s` : "settled");
    await this.#clearAway(task, { row, options, deploy });
  }

  /** What a deploy that has settled needs no more. It has settled, whatever becomes of this. */
  async #clearAway(
    task: Task,
    done: { row: Instance; options: AppOptions; deploy: Deploy },
  ): Promise<void> {
    const { row, options, deploy } = done;
    await this.#drain(task);
    try {
      await this.retireUnderstudies(row, options, deploy.number);
      await this.#retireSleepers(row, options, deploy.number);
      await this.tidy(row.name);
      // What the last requests stand in goes when they have ended.
      void this.#allRetired(row.name)
        .then(() => this.tidy(row.name))
        .catch(() => undefined);
    } catch (error) {
      const { log } = this.#expectContext();
      log.error({ err: error, instance: row.name }, "could not clear away");
      this.#later(async () => {
        if (!task.isSuperseded()) await this.#clearAway(task, done);
      });
    }
  }

  async #allRetired(instance: string): Promise<void> {
    for (const retiring of this.#retiring.get(instance) ?? []) await retiring;
  }

  async #drain(task: Task): Promise<void> {
    const end = milliseconds() + drain;
    while (milliseconds() < end && !task.isSuperseded()) await sleep(20);
  }

  /** Those of deploys up to this number; they end in their own time, beside what comes next. */
  async retireUnderstudies(row: Instance, options: AppOptions, upTo: number): Promise<void> {
    const { grace } = options;
    const context = this.#expectContext();
    for (const understudy of await findUnderstudies(context, row.name)) {
      if (understudy.number > upTo) continue;
      const retiring = retireUnderstudy(context, row.name, understudy, grace * 1000).then(
        (killed) => {
          if (killed === 0) return;
          const cut = context.store.deployByNumber(row.app, understudy.number);
          if (!cut) return;
          const note = `its understudy retired; requests were cut after ${grace} s`;
          context.store.changeDeploy(cut.id, { note: [cut.note, note].filter(Boolean).join("; ") });
        },
        (error: unknown) => {
          context.log.error({ err: error, understudy: understudy.name }, "could not retire");
          this.#later(() => this.retireUnderstudies(row, options, upTo));
        },
      );
      this.#retires(row.name, retiring);
    }
  }

  /** A preview's vassals of releases before this one, which may be waking for a request of before. */
  async #retireSleepers(row: Instance, options: AppOptions, before: number): Promise<void> {
    const { emperor, log } = this.#expectContext();
    const terms = {
      boot: options.health_deadline * 1000,
      grace: options.grace * 1000,
      drained: () => sleep(drain),
    };
    for (const sleeper of await findSleepers(this.#expectContext(), row.name)) {
      if (sleeper.number >= before) continue;
      const retiring = retireOnDemand(emperor, sleeper, terms).then(
        (killed) => {
          if (killed > 0) log.warn({ ini: sleeper.ini, killed }, "requests were cut");
        },
        (error: unknown) => {
          log.error({ err: error, ini: sleeper.ini }, "could not retire");
          this.#later(() => this.#retireSleepers(row, options, before));
        },
      );
      this.#retires(row.name, retiring);
    }
  }

  #retires(instance: string, retiring: Promise<void>): void {
    const all = this.#retiring.get(instance) ?? new Set();
    this.#retiring.set(instance, all);
    all.add(retiring);
    void retiring.then(() => all.delete(retiring));
  }

  async #degrade(task: Task, error: unknown): Promise<void> {
    if (task.isSuperseded()) {
      this.#note(task, "superseded");
      return;
    }
    const context = this.#expectContext();
    const message = error instanceof Error ? error.message : String(error);
    const log = { err: error, instance: task.instance };
    const cover = await this.#cover(task);
    if (!cover || isEmperorDown(error)) {
      // Nobody serves in the vassal's stead, or nothing is wrong with it: the Emperor goes on trying.
      context.log.error(log, "the permanent vassal did not come up");
      this.#note(task, message);
      this.#again(task, retrySoon);
      return;
    }
    context.log.error(log, "the permanent vassal did not come up; the understudy goes on");
    context.store.changeInstance(task.instance, { degraded: message });
    this.#note(task, `degraded: ${message}`);
    this.#again(task, retryAfter);
    await this.#hold(task, cover).catch((failure: unknown) =>
      context.log.error({ err: failure }, "could not stop the vassal that failed"),
    );
  }

  /** Left where it is, the Emperor would start the vassal again and again. It may have had the traffic for a moment. */
  async #hold(task: Task, cover: Understudy): Promise<void> {
    const context = this.#expectContext();
    if (await this.#carryBy(task, cover)) await this.#drain(task);
    task.goOn();
    await holdVassal(context.emperor, pathsOf(context, task.instance).ini, 0);
  }

  /** Resolves to whether the traffic went elsewhere before. */
  async #carryBy(task: Task, { socket }: Understudy): Promise<boolean> {
    const { link } = pathsOf(this.#expectContext(), task.instance);
    if (await leadsTo(link, socket)) return false;
    await this.traffic.lead(link, socket, task.goOn);
    return true;
  }

  /** Who serves in the vassal's stead; nobody where the deploy has settled: its understudy ends, or is about to. */
  async #cover(task: Task): Promise<Understudy | undefined> {
    const context = this.#expectContext();
    if (context.store.instance(task.instance)?.settled === task.deploy) return undefined;
    const number = context.store.deploy(task.deploy)?.number;
    const understudies = await findUnderstudies(context, task.instance);
    return understudies.find((understudy) => understudy.number === number);
  }

  #later(work: () => Promise<void>): void {
    const { log } = this.#expectContext();
    setTimeout(() => {
      work().catch((error: unknown) => log.error({ err: error }, "could not clear away"));
    }, retrySoon).unref();
  }

  #again(task: Task, after: number): void {
    setTimeout(() => {
      if (!task.isSuperseded()) this.start(task.instance, task.deploy);
    }, after).unref();
  }

  #note(task: Task, note: string): void {
    this.#expectContext().store.changeDeploy(task.deploy, { note });
  }

  #expectContext(): DeployContext {
    if (!this.#context) throw new Error("the settler was not attached");
    return this.#context;
  }
}
