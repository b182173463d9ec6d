import type { TestServer } from "./server.ts";

/** People who read a page again and again, and notice what should not be noticed. */
export class Visitors {
  readonly #server: TestServer;
  readonly #app: string;
  readonly #path: string;
  readonly #failed: string[] = [];
  readonly #read: { text: string; began: number }[] = [];
  readonly #asking = new Set<Promise<void>>();
  /** What was live, one after the other, and since when every new request had to get it. */
  readonly #live: { text: string; since: number }[] = [];
  #timer: NodeJS.Timeout | undefined;

  constructor(server: TestServer, app: string, path = "/") {
    if (!server.isVisited) throw new Error("this server hurries, which visitors would notice");
    this.#server = server;
    this.#app = app;
    this.#path = path;
  }

  /** So many requests in a second, until they leave; `text` is on the air when they come. */
  come(perSecond: number, text: string): void {
    this.#live.length = 0;
    this.expectFromNowOn(text);
    this.#timer = setInterval(() => {
      const asked = this.#ask();
      this.#asking.add(asked);
      void asked.then(() => this.#asking.delete(asked));
    }, 1000 / perSecond);
  }

  /** A request that begins after this call must get this text, or that of a later deploy. */
  expectFromNowOn(text: string): void {
    this.#live.push({ text, since: performance.now() });
  }

  /** Resolves to what they noticed: requests that failed, and pages of an older release. */
  async leave(): Promise<{ failed: string[]; stale: string[] }> {
    clearInterval(this.#timer);
    await Promise.all([...this.#asking]);
    const stale = this.#read.splice(0).flatMap(({ text, began }) => {
      const due = this.#live.findLastIndex(({ since }) => since < began);
      const got = this.#live.findIndex((live) => live.text === text);
      return got < due ? [`${text} instead of ${this.#live[due]?.text ?? ""}`] : [];
    });
    return { failed: this.#failed.splice(0), stale };
  }

  async #ask(): Promise<void> {
    const began = performance.now();
    try {
      const { status, body } = await this.#server.get(this.#app, this.#path);
      if (status === 200) this.#read.push({ text: body, began });
      else this.#failed.push(`${status}: ${body}`);
    } catch (error) {
      this.#failed.push(String(error));
    }
  }
}
