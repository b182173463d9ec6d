/** Work that begins when somebody else says so, and ends when the test does. */
export class HeldWork {
  isBegun = false;
  readonly begun: Promise<void>;
  #begin: () => void = () => undefined;
  #end: () => void = () => undefined;
  readonly #ended: Promise<void>;

  constructor() {
    this.begun = new Promise((resolve) => (this.#begin = resolve));
    this.#ended = new Promise((resolve) => (this.#end = resolve));
  }

  readonly run = (): Promise<void> => {
    this.isBegun = true;
    this.#begin();
    return this.#ended;
  };

  end(): void {
    this.#end();
  }
}
