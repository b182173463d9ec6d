/** Work that must not run beside other work on the same thing: each waits until the one before has ended. */
export class Turns {
  readonly #last = new Map<string, Promise<unknown>>();

  isTaken(thing: string): boolean {
    return this.#last.has(thing);
  }

  async run<T>(thing: string, work: () => Promise<T>): Promise<T> {
    const before = this.#last.get(thing) ?? Promise.resolve();
    const turn = before.then(work, work);
    this.#last.set(thing, turn);
    try {
      return await turn;
    } finally {
      if (this.#last.get(thing) === turn) this.#last.delete(thing);
    }
  }
}
