export interface Wanting {
  /** Called where none is free just now. */
  onWait: () => void;
  /** Whoever is not wanted any more leaves the queue at once. */
  signal?: AbortSignal | undefined;
}

/** Things of which each is one worker's at a time. Who comes while all are taken waits, in the order of coming. */
export class Pool<T> {
  readonly #all: readonly T[];
  readonly #taken = new Set<T>();
  readonly #waiting: ((thing: T) => void)[] = [];

  constructor(all: readonly T[]) {
    this.#all = all;
  }

  /**
   * The first that is free is taken: with little to do it is always the same one. Whoever asked does not wait for what
   * comes after the work; the next one does.
   */
  async use<R>(
    wanting: Wanting,
    work: (thing: T) => Promise<R>,
    afterwards: (thing: T) => Promise<void> = () => Promise.resolve(),
  ): Promise<R> {
    wanting.signal?.throwIfAborted();
    const free = this.#all.find((thing) => !this.#taken.has(thing));
    const thing = free ?? (await this.#turn(wanting));
    this.#taken.add(thing);
    try {
      return await work(thing);
    } finally {
      const handOn = (): void => this.#handOn(thing);
      afterwards(thing).then(handOn, handOn);
    }
  }

  /** It stays taken on its way, so that nobody who comes just now is served before those who wait. */
  #handOn(thing: T): void {
    const next = this.#waiting.shift();
    if (next) next(thing);
    else this.#taken.delete(thing);
  }

  #turn({ onWait, signal }: Wanting): Promise<T> {
    return new Promise((resolve, reject) => {
      const take = (thing: T): void => {
        signal?.removeEventListener("abort", leave);
        resolve(thing);
      };
      const leave = (): void => {
        this.#waiting.splice(this.#waiting.indexOf(take), 1);
        reject(signal?.reason as Error);
      };
      this.#waiting.push(take);
      signal?.addEventListener("abort", leave, { once: true });
      onWait();
    });
  }
}
