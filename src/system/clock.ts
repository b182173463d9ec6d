import { setTimeout as sleep } from "node:timers/promises";

export { sleep };

/** Milliseconds on a clock that never goes back. */
export function milliseconds(): number {
  return performance.now();
}

export interface Timeout {
  /** Milliseconds after which `undefined` is the answer. */
  within: number;
  /** Milliseconds between two looks. */
  every?: number;
}

/** Looks again and again until there is something to see. */
export async function waitFor<T>(
  look: () => Promise<T | undefined | false>,
  timeout: Timeout,
): Promise<T | undefined> {
  const end = milliseconds() + timeout.within;
  for (;;) {
    const seen = await look();
    if (seen !== undefined && seen !== false) return seen;
    if (milliseconds() >= end) return undefined;
    await sleep(timeout.every ?? 10);
  }
}
