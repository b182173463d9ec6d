/**
 * What is being done for a deploy just now, so that it can be stopped: by somebody who cancels it, or because
 * the push that carried it is gone. A deploy that nothing works on, proven and waiting for its ref, can be
 * stopped as well: its switch looks here first.
 */
export class Attempts {
  readonly #stops = new Map<number, AbortController>();
  readonly #working = new Map<number, Promise<unknown>>();

  /** Runs one part of a deploy. The signal is aborted when the deploy is stopped. */
  async run<T>(deploy: number, work: (signal: AbortSignal) => Promise<T>): Promise<T> {
    const working = work(this.signalOf(deploy));
    this.#working.set(deploy, working);
    return working.finally(() => this.#working.delete(deploy));
  }

  signalOf(deploy: number): AbortSignal {
    const stop = this.#stops.get(deploy) ?? new AbortController();
    this.#stops.set(deploy, stop);
    return stop.signal;
  }

  /** Resolves when nothing works on the deploy any more, and nothing will. */
  async stop(deploy: number, reason: Error): Promise<void> {
    this.signalOf(deploy);
    this.#stops.get(deploy)?.abort(reason);
    await this.#working.get(deploy)?.catch(() => undefined);
  }

  /** The deploy is live or refused: there is nothing to stop any more. */
  end(deploy: number): void {
    this.#stops.delete(deploy);
  }
}
