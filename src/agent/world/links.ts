import { milliseconds } from "../../system/clock.ts";
import { removeFile, symlinkAtomically } from "../../system/files.ts";
import { Turns } from "../../system/turns.ts";

/**
 * What nginx opens of each instance: its link, anew for every connection, so that one rename moves the traffic
 * without touching nginx: to an understudy's socket, and back to the vassal's own. The vassals bind their sockets in
 * another folder, and never where nginx looks.
 */
export class Links {
  readonly #turns = new Turns();
  readonly #movedAt = new Map<string, number>();
  /** What was moved before may have been moved a moment before. */
  readonly #began = milliseconds();

  /** `expectCurrent` throws where something newer has come, whose traffic this would take. */
  async point(
    link: string,
    socket: string,
    expectCurrent: () => void = () => undefined,
  ): Promise<void> {
    await this.#turns.run(link, async () => {
      expectCurrent();
      await symlinkAtomically(socket, link);
      this.#movedAt.set(link, milliseconds());
    });
  }

  /** Removes the link of an instance that is no more, and forgets it. */
  async remove(link: string): Promise<void> {
    await this.#turns.run(link, async () => {
      await removeFile(link);
      this.#movedAt.delete(link);
    });
  }

  /** The milliseconds since the link was moved last. */
  restsFor(link: string): number {
    return milliseconds() - (this.#movedAt.get(link) ?? this.#began);
  }
}
