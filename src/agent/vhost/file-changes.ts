import { mkdir, readlink, rmdir } from "node:fs/promises";
import { hasCode } from "../../errors.ts";
import {
  isPresent,
  kindOf,
  readIfPresent,
  removeFile,
  symlinkAtomically,
  writeAtomically,
} from "../../system/files.ts";

/** Changes of files that belong together: all of them, or, taken back, none. What is so already is not changed. */
export class FileChanges {
  readonly #undoing: (() => Promise<unknown>)[] = [];

  async write(path: string, text: string): Promise<void> {
    const former = await readIfPresent(path);
    if (former === text) return;
    this.#undoing.push(() =>
      former === undefined ? removeFile(path) : writeAtomically(path, former),
    );
    await writeAtomically(path, text);
  }

  async link(target: string, link: string): Promise<void> {
    if (await isPresent(link)) return;
    this.#undoing.push(() => removeFile(link));
    await symlinkAtomically(target, link);
  }

  /** A file or a link. */
  async remove(path: string): Promise<void> {
    const kind = await kindOf(path);
    if (kind === "absent") return;
    const [former, putBack] =
      kind === "link"
        ? [await readlink(path), symlinkAtomically]
        : [await readIfPresent(path), (text: string) => writeAtomically(path, text)];
    this.#undoing.push(() => putBack(former ?? "", path));
    await removeFile(path);
  }

  async makeFolder(path: string): Promise<void> {
    if (await isPresent(path)) return;
    // Somebody else may have come to use it meanwhile.
    this.#undoing.push(() => rmdir(path).catch(unlessFilled));
    await mkdir(path, { mode: 0o755 });
  }

  /** One with nothing in it. */
  async removeFolder(path: string): Promise<void> {
    this.#undoing.push(() => mkdir(path, { mode: 0o755 }));
    await rmdir(path);
  }

  /** The newest first. */
  async takeBack(): Promise<void> {
    for (const undo of this.#undoing.splice(0).reverse()) await undo();
  }
}

function unlessFilled(error: unknown): void {
  if (!hasCode(error, "ENOTEMPTY")) throw error;
}
