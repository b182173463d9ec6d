import type { Instance } from "../app/instance.ts";
import type { Vassal } from "../app/vassal.ts";
import type { AppOptions } from "../config/app-options.ts";
import { hasCode } from "../errors.ts";
import { leadsTo } from "../host/files.ts";
import { milliseconds, sleep } from "../host/clock.ts";
import { Turns } from "../host/turns.ts";
import { layOutStaging } from "../release/release.ts";
import { mendSettings } from "../settings/settings.ts";
import type { Deploy } from "../store/agent/deploys.ts";
import { holdVassal } from "../vassal/vassal.ts";
import { bringOver, putToSleep } from "./bring-over.ts";
import { optionsOf, pathsOf, releaseContext, type DeployContext } from "./context.ts";
import { prune } from "./kept.ts";
import { Traffic } from "./traffic.ts";
import {
  drain,
  expectServing,
  lead,
  permanentOf,
  retire,
  settledVassal,
  understudiesOf,
  vassalsOf,
} from "./vassals.ts";

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
}

/**
 * Settling is what follows a deploy that is live: behind the understudy, which carries the traffic, the
 * permanent vassal is brought to the same release; then it takes the traffic back. Every step asks first
 * whether a newer deploy has come, which then settles in its place.
 */
export class Settler {
  readonly traffic = new Traffic();
  readonly #tasks = new Map<string, Task>();
  /** Of each instance, by their inis. */
  readonly #retiring = new Map<string, Map<Promise<void>, string>>();
  readonly #settling = new Turns();
  readonly #tidying = new Turns();
  /** Instances that were to be tidied, and could not be. */
  readonly #untidy = new Set<string>();
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
    this.supersede(instance);
    const cancel = new AbortController();
    const task: Task = {
      instance,
      deploy,
      isSuperseded: () => cancel.signal.aborted,
      goOn: () => cancel.signal.throwIfAborted(),
      supersede: () => cancel.abort(),
    };
    this.#tasks.set(instance, task);
    const settle = (): Promise<void> =>
      this.#settle(task).catch((error: unknown) => this.#degrade(task, error));
    this.#settling.run(instance, settle).catch((error: unknown) => {
      this.#expectContext().log.error({ err: error, instance }, "could not settle");
      this.#again(task, retrySoon);
    });
  }

  /** Resolves when no deploy of the instance is settling, well or not. */
  rested(instance: string): Promise<void> {
    return this.#settling.rest(instance);
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
    // A deploy that has the lock may be using what would be removed; its own settling tidies, where it comes to that.
    if (context.locks.isHeld(instance)) {
      this.#untidy.add(instance);
      return [];
    }
    return this.#tidyNow(instance);
  }

  async #tidyNow(instance: string): Promise<string[]> {
    const context = this.#expectContext();
    const row = context.store.instances.get(instance);
    this.#untidy.delete(instance);
    if (!row) return [];
    return this.#tidying.run(instance, async () => {
      try {
        await mendSettings(context.host, pathsOf(context, instance).settings);
        const removed = await prune(context, row);
        await layOutStaging(releaseContext(context, row));
        return removed;
      } catch (error) {
        // Before the turn is over: who waits for it looks whether there is anything left to do.
        this.#untidy.add(instance);
        throw error;
      }
    });
  }

  /** Before a deploy that has the lock looks for what is on disk: what kept it from being tidied is over. */
  async tidiedFor(instance: string): Promise<void> {
    await this.tidied(instance);
    if (!this.#untidy.has(instance)) return;
    await this.#tidyNow(instance).catch((error: unknown) => {
      this.#expectContext().log.error({ err: error, instance }, "could not tidy up");
    });
  }

  /** Resolves when nothing of the instance is being tidied. */
  tidied(instance: string): Promise<void> {
    return this.#tidying.rest(instance);
  }

  async #settle(task: Task): Promise<void> {
    const context = this.#expectContext();
    const { store } = context;
    const row = store.instances.get(task.instance);
    const deploy = store.deploys.get(task.deploy);
    if (!row || !deploy) return;
    const options = await optionsOf(context, row.app);
    const paths = pathsOf(context, row.name);

    // An attempt before this one may have failed when the vassal had the traffic already.
    const cover = await this.#cover(task);
    if (cover) await this.#carryBy(task, cover);
    await this.#drain(task);
    task.goOn();
    // The traffic is with this deploy's understudy: those of former deploys have done their part.
    await this.retireBefore(row, options, deploy.number);
    task.goOn();
    const vassal = settledVassal(context, deploy);
    const settling = { row, deploy, options, paths };
    const sleeps = vassal.role === "on demand";
    const bring = sleeps ? putToSleep : bringOver;
    const cut = await bring(context, settling, task.goOn);
    task.goOn();
    if (!sleeps) await expectServing(context, vassal, { instance: row, options });
    await lead(context, vassal, task.goOn);
    store.instances.change(row.name, { settled: deploy.id, degraded: null });
    this.#note(task, cut ? `settled; requests were cut after ${options.grace} s` : "settled");
    await this.#clearAway(task, { row, options, deploy });
  }

  /** What a deploy that has settled needs no more. It has settled, whatever becomes of this. */
  async #clearAway(
    task: Task,
    done: { row: Instance; options: AppOptions; deploy: Deploy },
  ): Promise<void> {
    const { row, options, deploy } = done;
    const context = this.#expectContext();
    await this.#drain(task);
    try {
      const { ini } = settledVassal(context, deploy);
      await this.#retire(row, options, (one) => one.deploy <= deploy.number && one.ini !== ini);
      await this.tidy(row.name);
      // What the last requests stand in goes when they have ended.
      void this.#allRetired(row.name)
        .then(() => this.tidy(row.name))
        .catch(() => undefined);
    } catch (error) {
      context.log.error({ err: error, instance: row.name }, "could not clear away");
      this.#later(async () => {
        if (!task.isSuperseded()) await this.#clearAway(task, done);
      });
    }
  }

  async #allRetired(instance: string): Promise<void> {
    for (const retiring of this.#retiring.get(instance)?.keys() ?? []) await retiring;
  }

  /** The inis of those that are ending by themselves just now. */
  retiring(instance: string): Set<string> {
    return new Set(this.#retiring.get(instance)?.values());
  }

  async #drain(task: Task): Promise<void> {
    const end = milliseconds() + drain;
    while (milliseconds() < end && !task.isSuperseded()) await sleep(20);
  }

  /** Understudies of deploys before this number, which end in their own time, beside what comes next. */
  retireBefore(row: Instance, options: AppOptions, number: number): Promise<void> {
    const isFormer = ({ role, deploy }: Vassal): boolean =>
      role === "understudy" && deploy < number;
    return this.#retire(row, options, isFormer);
  }

  async #retire(
    row: Instance,
    options: AppOptions,
    isOver: (vassal: Vassal) => boolean,
  ): Promise<void> {
    const context = this.#expectContext();
    const terms = { grace: options.grace * 1000, waking: options.health_deadline * 1000 };
    for (const vassal of (await vassalsOf(context, row.name)).filter(isOver)) {
      const retiring = retire(context, vassal, terms)
        .then((killed) => {
          if (killed > 0) this.#noteCut(row, vassal, options);
        })
        .catch((error: unknown) => {
          context.log.error({ err: error, ini: vassal.ini }, "could not retire");
          this.#later(() => this.#retire(row, options, isOver));
        });
      this.#retires(vassal, retiring);
    }
  }

  #noteCut(row: Instance, vassal: Vassal, { grace }: AppOptions): void {
    const { store } = this.#expectContext();
    const deploy = store.deploys.byNumber(row.app, vassal.deploy);
    if (!deploy) return;
    const who = vassal.role === "understudy" ? "understudy" : "vassal";
    const note = `its ${who} retired; requests were cut after ${grace} s`;
    store.deploys.change(deploy.id, { note: [deploy.note, note].filter(Boolean).join("; ") });
  }

  #retires({ instance, ini }: Vassal, retiring: Promise<void>): void {
    const all = this.#retiring.get(instance) ?? new Map<Promise<void>, string>();
    this.#retiring.set(instance, all);
    all.set(retiring, ini);
    const forget = (): boolean => all.delete(retiring);
    retiring.then(forget, forget);
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
    if (!cover || hasCode(error, "EMPEROR_DOWN")) {
      // Nobody serves in the vassal's stead, or nothing is wrong with it: the Emperor goes on trying.
      context.log.error(log, "the permanent vassal did not come up");
      this.#note(task, message);
      this.#again(task, retrySoon);
      return;
    }
    context.log.error(log, "the permanent vassal did not come up; the understudy goes on");
    context.store.instances.change(task.instance, { degraded: message });
    this.#note(task, `degraded: ${message}`);
    this.#again(task, retryAfter);
    await this.#hold(task, cover).catch((failure: unknown) =>
      context.log.error({ err: failure }, "could not stop the vassal that failed"),
    );
  }

  /** Left where it is, the Emperor would start the vassal again and again. It may have had the traffic for a moment. */
  async #hold(task: Task, cover: Vassal): Promise<void> {
    const context = this.#expectContext();
    if (await this.#carryBy(task, cover)) await this.#drain(task);
    task.goOn();
    await holdVassal(context.emperor, permanentOf(context, task.instance).ini, 0);
  }

  /** Resolves to whether the traffic went elsewhere before. */
  async #carryBy(task: Task, cover: Vassal): Promise<boolean> {
    const context = this.#expectContext();
    if (await leadsTo(pathsOf(context, task.instance).link, cover.socket)) return false;
    await lead(context, cover, task.goOn);
    return true;
  }

  /** Who serves in the vassal's stead; nobody where the deploy has settled: its understudy ends, or is about to. */
  async #cover(task: Task): Promise<Vassal | undefined> {
    const context = this.#expectContext();
    if (context.store.instances.get(task.instance)?.settled === task.deploy) return undefined;
    const number = context.store.deploys.get(task.deploy)?.number;
    const understudies = await understudiesOf(context, task.instance);
    return understudies.find(({ deploy }) => deploy === number);
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
    this.#expectContext().store.deploys.change(task.deploy, { note });
  }

  #expectContext(): DeployContext {
    if (!this.#context) throw new Error("the settler was not attached");
    return this.#context;
  }
}
