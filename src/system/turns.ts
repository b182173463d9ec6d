/** Work that must not run beside other work on the same thing: each waits until the one before has ended. */
export class Turns {
  readonly #last = new Map<string, Promise<unknown>>();

  isTaken(thing: string): boolean {
    return this.#last.has(thing);
  }

  /** Resolves when all work on the thing that was there by now has ended, well or not. */
  async rest(thing: string): Promise<void> {
    await this.#last.get(thing)?.catch(() => undefined);
  }

  /** Whoever still waits when `signal` is aborted is turned away at once, and its work is never begun. */
  run<T>(thing: string, work: () => Promise<T>, signal?: AbortSignal): Promise<T> {
    const before = this.#last.get(thing) ?? Promise.resolve();
    let leave = (): void => undefined;
    const left = new Promise<never>((_, reject) => {
      leave = () => reject(signal?.reason as Error);
    });
    signal?.addEventListener("abort", leave);
    const begin = (): Promise<T> => {
      signal?.removeEventListener("abort", leave);
      signal?.throwIfAborted();
      return work();
    };
    const turn = before.then(begin, begin);
    this.#last.set(thing, turn);
    const ended = turn.finally(() => {
      if (this.#last.get(thing) === turn) this.#last.delete(thing);
    });
    return Promise.race([ended, left]);
  }
}
