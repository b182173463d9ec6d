import { sleep } from "../host/clock.ts";
import { kindOf } from "../host/files.ts";
import { leadBack, leadTo } from "../vassal/socket-link.ts";

/**
 * Where each instance's traffic goes, moved by one rename at a time.
 *
 * While an understudy carries it, the socket's path is watched: a vassal that starts meanwhile binds the
 * path anew, over the link, and would get requests before it can answer them.
 */
export class Traffic {
  readonly #understudies = new Map<string, string>();
  readonly #turns = new Map<string, Promise<unknown>>();

  /** The traffic of `socket` goes to the understudy's socket from now on. */
  async lead(socket: string, understudy: string): Promise<void> {
    await this.#inTurn(socket, () => leadTo(socket, understudy));
    const watched = this.#understudies.has(socket);
    this.#understudies.set(socket, understudy);
    if (!watched) void this.#watch(socket);
  }

  /** The traffic goes back to the vassal's own socket; `expectCurrent` throws where something newer has come. */
  async back(socket: string, expectCurrent: () => void): Promise<void> {
    await this.#inTurn(socket, async () => {
      expectCurrent();
      this.#understudies.delete(socket);
      await leadBack(socket);
    });
  }

  /** The socket's instance is gone. */
  forget(socket: string): void {
    this.#understudies.delete(socket);
  }

  async #watch(socket: string): Promise<void> {
    for (;;) {
      await sleep(5);
      const gone = await this.#inTurn(socket, async () => {
        const understudy = this.#understudies.get(socket);
        if (understudy === undefined) return true;
        if ((await kindOf(socket)) === "socket") await leadTo(socket, understudy);
        return false;
      }).catch(() => false);
      if (gone) return;
    }
  }

  #inTurn<T>(socket: string, work: () => Promise<T>): Promise<T> {
    const before = this.#turns.get(socket) ?? Promise.resolve();
    const turn = before.then(work, work);
    this.#turns.set(socket, turn);
    return turn;
  }
}
