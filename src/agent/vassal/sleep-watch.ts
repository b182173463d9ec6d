import { watch, type FSWatcher } from "node:fs";
import { readdir } from "node:fs/promises";
import { hasCode } from "../../errors.ts";
import { waitFor } from "../../system/clock.ts";
import { groupOf } from "./vassal.ts";
import { groupsOf, tellOfEnded, type Emperor } from "./emperor.ts";

/** The Emperor's hook writes a file of this name each time before such a vassal starts; `rel-`: one that sleeps. */
const sleeping = /^[^.]+\.rel-\d+$/;
/** Milliseconds between two looks, where no control group says what ends. */
const lookEvery = 500;

/**
 * Has the Emperor see at once that a preview has fallen asleep; by itself it may take seconds, in which nobody can wake
 * it again. The kernel says when a control group is empty, and nobody looks meanwhile. Of other vassals that end
 * nothing is told: each time the Emperor is woken it starts all that have died.
 */
export class SleepWatch {
  readonly #emperor: Emperor;
  readonly #onError: (error: unknown) => void;
  readonly #awake = new Map<string, FSWatcher>();
  #starts: FSWatcher | undefined;
  #timer: NodeJS.Timeout | undefined;

  constructor(emperor: Emperor, onError: (error: unknown) => void) {
    this.#emperor = emperor;
    this.#onError = onError;
  }

  /** `hasGroups`: whether vassals have control groups here. */
  start(hasGroups: boolean): void {
    if (!hasGroups) {
      this.#lookAgainAndAgain();
      return;
    }
    this.#attemptToWatch(async () => {
      const { pauses } = this.#emperor;
      this.#starts = watch(pauses, (_, name) => this.#attemptToWatch(() => this.#follow(name)));
      this.#starts.on("error", this.#onError);
      for (const name of await readdir(pauses)) await this.#follow(name);
    });
  }

  stop(): void {
    clearInterval(this.#timer);
    this.#starts?.close();
    for (const watcher of this.#awake.values()) watcher.close();
  }

  /** Watches the group of a vassal that has just been started. */
  async #follow(name: string | null): Promise<void> {
    if (name === null || !sleeping.test(name) || this.#awake.has(name)) return;
    const events = (await groupsOf(this.#emperor)).eventsOf(groupOf(name));
    if (events === undefined || this.#awake.has(name)) return;
    try {
      const watcher = watch(events, () => this.#attempt(() => this.#look(name)));
      this.#awake.set(name, watcher.on("error", this.#onError));
    } catch (error) {
      // It has been retired meanwhile, and its group is gone.
      if (!hasCode(error, "ENOENT")) throw error;
      return;
    }
    // It may have ended before anybody watched.
    await this.#look(name);
  }

  async #look(name: string): Promise<void> {
    if (await (await groupsOf(this.#emperor)).isPopulated(groupOf(name))) return;
    this.#awake.get(name)?.close();
    this.#awake.delete(name);
    // A group is empty a moment before its process can be waited for.
    await waitFor(() => tellOfEnded(this.#emperor), { within: lookEvery, every: 5 });
  }

  /** The system may have no watch left: how many a user has is limited, by inotify(7). */
  #attemptToWatch(work: () => Promise<unknown>): void {
    work().catch((error: unknown) => {
      this.#lookAgainAndAgain();
      this.#onError(error);
    });
  }

  #lookAgainAndAgain(): void {
    this.#timer ??= setInterval(() => this.#attempt(() => tellOfEnded(this.#emperor)), lookEvery);
  }

  #attempt(work: () => Promise<unknown>): void {
    work().catch(this.#onError);
  }
}
