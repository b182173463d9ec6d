import type { Vassal } from "../../names/vassal.ts";
import { Turns } from "../../system/turns.ts";

/** One settling: of this deploy, until a newer one supersedes it. */
export interface Task {
  instance: string;
  deploy: number;
  isSuperseded: () => boolean;
  /** Throws where the deploy was superseded: what comes next is not its to do any more. */
  goOn: () => void;
}

/**
 * What goes on about an instance when its deploy is over: it settles, vassals retire, and it is tidied up. Whoever
 * needs the instance at rest waits for it here, and whoever takes the traffic says so.
 */
export class BackgroundWork {
  /** Of each instance, how its settling is superseded. */
  readonly #superseding = new Map<string, () => void>();
  readonly #settling = new Turns();
  /** Of each instance, by their inis. */
  readonly #retiring = new Map<string, Map<Promise<void>, string>>();
  /** The inis of those that could not be ended, and are tried again. */
  readonly #unended = new Set<string>();
  readonly #tidying = new Turns();
  /** Instances that were to be tidied, and could not be. */
  readonly #untidy = new Set<string>();

  /**
   * Begins when the former settling of the instance, which this one supersedes, is over. What fails `work` tells by
   * itself.
   */
  settle(instance: string, deploy: number, work: (task: Task) => Promise<void>): void {
    this.supersede(instance);
    const cancel = new AbortController();
    const task: Task = {
      instance,
      deploy,
      isSuperseded: () => cancel.signal.aborted,
      goOn: () => cancel.signal.throwIfAborted(),
    };
    this.#superseding.set(instance, () => cancel.abort());
    this.#settling.run(instance, () => work(task)).catch(() => undefined);
  }

  /** A newer deploy takes the traffic: nothing of the former one may move it any more. */
  supersede(instance: string): void {
    this.#superseding.get(instance)?.();
  }

  /** Resolves when no deploy of the instance is settling, well or not. */
  rested(instance: string): Promise<void> {
    return this.#settling.rest(instance);
  }

  /** Resolves when nothing moves about the instance any more. */
  async idle(instance: string): Promise<void> {
    await this.rested(instance);
    await this.allRetired(instance);
    await this.tidied(instance);
  }

  /** A vassal is ending by itself. `retiring` does not fail. */
  retires({ instance, ini }: Pick<Vassal, "instance" | "ini">, retiring: Promise<void>): void {
    this.#unended.delete(ini);
    const all = this.#retiring.get(instance) ?? new Map<Promise<void>, string>();
    this.#retiring.set(instance, all);
    all.set(retiring, ini);
    const forget = (): boolean => all.delete(retiring);
    retiring.then(forget, forget);
  }

  /** It could not be ended, and whoever tried will try again. */
  leaveUnended({ ini }: Pick<Vassal, "ini">): void {
    this.#unended.add(ini);
  }

  /** The inis of those that are ending by themselves just now, or are to be ended once more. */
  retiring(instance: string): Set<string> {
    return new Set([...(this.#retiring.get(instance)?.values() ?? []), ...this.#unended]);
  }

  async allRetired(instance: string): Promise<void> {
    for (const retiring of this.#retiring.get(instance)?.keys() ?? []) await retiring;
  }

  /** One at a time for an instance. What fails is left to be done. */
  tidy<T>(instance: string, work: () => Promise<T>): Promise<T> {
    this.#untidy.delete(instance);
    return this.#tidying.run(instance, async () => {
      try {
        return await work();
      } catch (error) {
        // Before the turn is over: who waits for it looks whether there is anything left to do.
        this.#untidy.add(instance);
        throw error;
      }
    });
  }

  /** Resolves when nothing of the instance is being tidied. */
  tidied(instance: string): Promise<void> {
    return this.#tidying.rest(instance);
  }

  /** It is to be tidied, and somebody uses it just now. */
  leaveUntidy(instance: string): void {
    this.#untidy.add(instance);
  }

  isUntidy(instance: string): boolean {
    return this.#untidy.has(instance);
  }
}
