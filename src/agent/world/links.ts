import { chmod, mkdir, readdir, readlink, rmdir } from "node:fs/promises";
import { basename, join } from "node:path";
import { hasCode } from "../../errors.ts";
import { socketBehind } from "../../names/instance.ts";
import { milliseconds } from "../../system/clock.ts";
import { removeFile, symlinkAtomically } from "../../system/files.ts";
import { Turns } from "../../system/turns.ts";

/**
 * What nginx opens of each instance. It looks behind the instance's link anew for every connection, so one rename of
 * the link moves all that is there without touching nginx: to an understudy, and back to the vassal for good. The
 * link leads to one of two folders. What comes next is laid out in the other one, where nobody looks, so that neither
 * a crash nor somebody who has just read the link finds half of it, and no folder is removed under anybody.
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
      const folder = await idleFolder(link);
      await provideFolder(folder);
      await symlinkAtomically(socket, socketBehind(folder));
      expectCurrent();
      await symlinkAtomically(basename(folder), link);
      this.#movedAt.set(link, milliseconds());
    });
  }

  /** Removes the link of an instance that is no more, with its folders, and forgets it. */
  async remove(link: string): Promise<void> {
    await this.#turns.run(link, async () => {
      await removeFile(link);
      for (const folder of linkFolders(link)) await removeFolder(folder);
      this.#movedAt.delete(link);
    });
  }

  /** The milliseconds since the link was moved last. */
  restsFor(link: string): number {
    return milliseconds() - (this.#movedAt.get(link) ?? this.#began);
  }
}

/** The socket that nginx finds; undefined where it finds none. */
export function linkedSocket(link: string): Promise<string | undefined> {
  return readlink(socketBehind(link)).catch(() => undefined);
}

/** The two that a link leads to in turns. No name of an instance ends like this. */
export function linkFolders(link: string): [string, string] {
  return [`${link}.a`, `${link}.b`];
}

/** The one that the link does not lead to. */
async function idleFolder(link: string): Promise<string> {
  const [one, other] = linkFolders(link);
  const current = await readlink(link).catch(() => undefined);
  return current !== undefined && basename(current) === basename(one) ? other : one;
}

/** nginx's workers pass through, and may not write. */
async function provideFolder(folder: string): Promise<void> {
  await mkdir(folder).catch((error: unknown) => {
    if (!hasCode(error, "EEXIST")) throw error;
  });
  await chmod(folder, 0o755);
}

async function removeFolder(folder: string): Promise<void> {
  try {
    for (const name of await readdir(folder)) await removeFile(join(folder, name));
    await rmdir(folder);
  } catch (error) {
    if (!hasCode(error, "ENOENT")) throw error;
  }
}
