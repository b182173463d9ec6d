import { UserError } from "../errors.ts";

interface Room {
  /** How many there are in all, and for each account. */
  all: number;
  each: number;
  /** What they are for, as it is said to whom there is none for. */
  work?: string;
}

interface Waiting {
  account: string;
  enter: () => void;
}

/** How many may wait, in all and of one account, and for how many milliseconds. */
const mostWaiting = 200;
const mostWaitingEach = 50;
const timeout = 60_000;

/**
 * The slots at which git works for somebody, or a command: what one of them may take is limited, and so is how many there are.
 * Who comes when all are taken waits for a while, in turn; those of one account keep nobody else waiting.
 */
export class Slots {
  readonly #room: Room;
  readonly #taken = new Map<string, number>();
  readonly #timeout: number;
  #waiting: Waiting[] = [];
  #all = 0;

  constructor(room: Room, within = timeout) {
    this.#room = room;
    this.#timeout = within;
  }

  /** Resolves to how the place is given back: `RESOURCES_EXHAUSTED` where none becomes free, or nobody waits any more. */
  async take(account: string, gone?: AbortSignal): Promise<() => void> {
    if (!this.#isFreeFor(account)) await this.#wait(account, gone);
    else this.#enter(account);
    let isTaken = true;
    return () => {
      if (isTaken) this.#leave(account);
      isTaken = false;
    };
  }

  #wait(account: string, gone?: AbortSignal): Promise<void> {
    const own = this.#waiting.filter((one) => one.account === account);
    if (this.#waiting.length >= mostWaiting || own.length >= mostWaitingEach)
      return Promise.reject(this.#refusal(account));
    return new Promise((resolve, reject) => {
      const giveUp = (): void => {
        this.#waiting = this.#waiting.filter((one) => one !== waiting);
        end();
        reject(this.#refusal(account));
      };
      const end = (): void => {
        clearTimeout(timer);
        gone?.removeEventListener("abort", giveUp);
      };
      const waiting = {
        account,
        enter: () => {
          end();
          resolve();
        },
      };
      const timer = setTimeout(giveUp, this.#timeout);
      this.#waiting.push(waiting);
      gone?.addEventListener("abort", giveUp);
      if (gone?.aborted) giveUp();
    });
  }

  #enter(account: string): void {
    this.#all += 1;
    this.#taken.set(account, this.#of(account) + 1);
  }

  #leave(account: string): void {
    this.#all -= 1;
    const left = this.#of(account) - 1;
    if (left > 0) this.#taken.set(account, left);
    else this.#taken.delete(account);
    const next = this.#waiting.find((one) => this.#isFreeFor(one.account));
    if (!next) return;
    this.#waiting = this.#waiting.filter((one) => one !== next);
    this.#enter(next.account);
    next.enter();
  }

  #isFreeFor(account: string): boolean {
    return this.#all < this.#room.all && this.#of(account) < this.#room.each;
  }

  #of(account: string): number {
    return this.#taken.get(account) ?? 0;
  }

  #refusal(account: string): UserError {
    const { each, work = "pushes and fetches" } = this.#room;
    const isTheirs = this.#of(account) >= each;
    return new UserError(
      "RESOURCES_EXHAUSTED",
      isTheirs
        ? `${account} has ${each} ${work} under way, and more are not worked on at a time`
        : `the server works on as many ${work} as it does at a time`,
      {
        hint: "Try again when one of them has ended. The administrator can let more of them in: git_sessions and git_sessions_each in etc/server.toml",
      },
    );
  }
}
