import { readFileSync } from "node:fs";
import { isAlive } from "../host/processes.ts";
import type { Holder } from "../store/agent-store.ts";
import type { Caller } from "../store/front-store.ts";

export interface Pusher {
  caller: Caller;
  app: string;
}

/**
 * Which `git receive-pack` carries whose push. A hook says whose child it is (its parent's number), and
 * that is how the front knows on whose behalf git asks.
 */
export class Pushers {
  readonly #running = new Map<number, Pusher & { holder: Holder }>();
  readonly #onGone: (holder: Holder) => void;

  constructor(onGone: (holder: Holder) => void) {
    this.#onGone = onGone;
  }

  started(pid: number, pusher: Pusher): void {
    this.#running.set(pid, { ...pusher, holder: holderOf(pid) });
  }

  ended(pid: number): void {
    const pusher = this.#running.get(pid);
    this.#running.delete(pid);
    if (pusher) this.#onGone(pusher.holder);
  }

  /** Ends those whose process is gone: over SSH git is not our child, and nobody else says so. */
  async sweep(): Promise<void> {
    for (const [pid, { holder }] of [...this.#running]) {
      if (!(await isAlive(holder)) && this.#running.get(pid)?.holder === holder) this.ended(pid);
    }
  }

  find(pid: number, app: string): (Pusher & { holder: Holder }) | undefined {
    const pusher = this.#running.get(pid);
    return pusher?.app === app ? pusher : undefined;
  }
}

/** Read at once, not awaited: git must not run a hook before its push is known. */
export function holderOf(pid: number, turn = 0): Holder {
  const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  return { pid, startTime: Number(fields[19]), turn };
}
