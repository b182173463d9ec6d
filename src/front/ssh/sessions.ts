import { isAlive, type ProcessId } from "../../system/processes.ts";

/** The gits that sshd has started: they are not our children, so that nobody but `/proc` says when they end. */
export class Sessions {
  readonly #running = new Map<ProcessId, () => void>();

  add(process: ProcessId, onGone: () => void): void {
    this.#running.set(process, onGone);
  }

  async sweep(): Promise<void> {
    for (const [process, onGone] of [...this.#running]) {
      if ((await isAlive(process)) || !this.#running.delete(process)) continue;
      onGone();
    }
  }
}
