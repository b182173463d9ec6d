import { UserError } from "../../errors.ts";
import { findProcess, isAlive } from "../../system/processes.ts";
import type { Holder } from "../../names/deploy.ts";

interface Held {
  holder: Holder;
  waiting: Waiting[];
}

interface Waiting {
  holder: Holder;
  go: () => void;
}

/**
 * One deploy at a time for an instance. A lock belongs to the process that carries the push (`git
 * receive-pack`), not to one of its hooks: it is held until that process is gone, because the ref moves
 * after the hook has ended. All refs of one push share the holder, so it may take the same lock again.
 */
export class HolderLocks {
  readonly #held = new Map<string, Held>();
  /** Whose end could not be judged, so far. */
  readonly #unjudged = new Map<string, Holder>();

  /**
   * Resolves when the lock is the holder's; `onWait` is called once if it must wait. Two pushes of the same
   * branches in different orders would wait for each other for ever: `PUSHES_CROSSED` for the later one.
   */
  async take(name: string, holder: Holder, onWait: () => void): Promise<void> {
    if (this.takeFree(name, holder)) return;
    const held = this.#held.get(name) as Held;
    if (isSame(held.holder, holder)) return;
    if (this.#waitsFor(held.holder, holder)) {
      throw new UserError(
        "PUSHES_CROSSED",
        `another push has ${name} and waits for a branch that this push has`,
      );
    }
    onWait();
    await new Promise<void>((resolve) => held.waiting.push({ holder, go: resolve }));
  }

  /** The same for a holder who waits for nobody: whether the lock was free, and is the holder's now. */
  takeFree(name: string, holder: Holder): boolean {
    if (this.#held.has(name)) return false;
    this.#held.set(name, { holder, waiting: [] });
    return true;
  }

  isHeld(name: string): boolean {
    return this.#held.has(name);
  }

  isHeldBy(name: string, holder: Holder): boolean {
    const held = this.#held.get(name);
    return held !== undefined && isSame(held.holder, holder);
  }

  /** Everything that this holder held is given to the next in turn. */
  release(holder: Holder): void {
    this.#unjudged.delete(keyOf(holder));
    for (const [name, held] of this.#held) {
      if (isSame(held.holder, holder)) this.#hand(name, held);
    }
  }

  /** Its work has ended, and it is not known how: it keeps what it holds until it was judged. */
  keep(holder: Holder): void {
    this.#unjudged.set(keyOf(holder), holder);
  }

  /** Holders who are to be judged: their process is gone and nobody will say so for them, or they are kept. */
  async deadHolders(): Promise<Holder[]> {
    const holders = [...this.#held.values()].map((held) => held.holder);
    const alive = await Promise.all(holders.map(isAlive));
    const dead = holders.filter((_, index) => alive[index] === false);
    return [
      ...new Map([...dead, ...this.#unjudged.values()].map((one) => [keyOf(one), one])).values(),
    ];
  }

  /** Whether the one cannot go on before the other has ended. */
  #waitsFor(one: Holder, other: Holder): boolean {
    return [...this.#held.values()]
      .filter(({ waiting }) => waiting.some(({ holder }) => isSame(holder, one)))
      .some(({ holder }) => isSame(holder, other) || this.#waitsFor(holder, other));
  }

  #hand(name: string, held: Held): void {
    const next = held.waiting.shift();
    if (!next) {
      this.#held.delete(name);
      return;
    }
    held.holder = next.holder;
    next.go();
  }
}

let turns = 0;

/** The agent itself, for what it does without a push: each time as another holder. */
export async function ownHolder(): Promise<Holder> {
  const own = await findProcess(process.pid);
  return { pid: process.pid, startTime: own?.startTime ?? 0, turn: ++turns };
}

export function keyOf({ pid, startTime, turn }: Holder): string {
  return `${pid} ${startTime} ${turn}`;
}

function isSame(one: Holder, other: Holder): boolean {
  return keyOf(one) === keyOf(other);
}
