import { milliseconds } from "../../system/clock.ts";

export interface Attempt {
  address: string;
  name: string;
}

/** `first`: the first that was too many, which is worth a line in a log; those after it are not. */
export type Judgement = "counted" | "first too many" | "too many";

const most = 100;
const window = 60_000;
const mostEntries = 10_000;

/**
 * Counts wrong credentials for each address and each account's name. Beyond the limit they are not looked
 * at any closer and not written down. A right credential always passes: nobody is locked out by somebody
 * who guesses at their name, or from their address.
 */
export class Throttle {
  readonly #counts = new Map<string, { since: number; wrong: number }>();
  readonly #clock: () => number;

  constructor(clock = milliseconds) {
    this.#clock = clock;
  }

  wrong({ address, name }: Attempt): Judgement {
    const counts = [this.#count(`address ${address}`), this.#count(`name ${name}`)];
    const highest = Math.max(...counts);
    if (highest <= most) return "counted";
    return counts.includes(most + 1) ? "first too many" : "too many";
  }

  #count(key: string): number {
    const now = this.#clock();
    const kept = this.#counts.get(key);
    if (kept && now - kept.since < window) return (kept.wrong += 1);
    this.#counts.delete(key);
    // The oldest go first: somebody who invents names fills no memory.
    const [oldest] = this.#counts.keys();
    if (this.#counts.size >= mostEntries && oldest !== undefined) this.#counts.delete(oldest);
    this.#counts.set(key, { since: now, wrong: 1 });
    return 1;
  }
}
