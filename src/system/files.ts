import { constants } from "node:fs";
import {
  access,
  lstat,
  open,
  readFile,
  rename,
  symlink,
  unlink,
  type FileHandle,
} from "node:fs/promises";
import { dirname, basename, join } from "node:path";
import { hasCode } from "../errors.ts";

/**
 * Writes a file that another process reads: it sees the old text or the new one, never a half. `modified` is
 * its time, in seconds; without one it is now. One that is not `lasting` may be empty after a power cut, and costs no
 * wait for the disk: whoever reads it then makes it anew.
 */
export function writeAtomically(
  path: string,
  text: string,
  {
    mode = 0o644,
    modified,
    lasting = true,
  }: { mode?: number; modified?: number; lasting?: boolean } = {},
): Promise<void> {
  return replace(path, async (temporary) => {
    const file = await open(temporary, "wx", mode);
    try {
      await file.writeFile(text);
      await file.chmod(mode);
      if (modified !== undefined) await file.utimes(modified, modified);
      if (lasting) await file.sync();
    } finally {
      await file.close();
    }
  });
}

/** Points `link` at `target` by one rename; what it pointed at before is untouched. */
export function symlinkAtomically(target: string, link: string): Promise<void> {
  return replace(link, (temporary) => symlink(target, temporary));
}

/** What cannot be made, or cannot take its place, is not left beside it. */
async function replace(path: string, make: (temporary: string) => Promise<void>): Promise<void> {
  const temporary = join(dirname(path), `.${basename(path)}.tmp`);
  try {
    await makeAnew(
      () => make(temporary),
      () => removeFile(temporary),
    );
    await rename(temporary, path);
  } catch (error) {
    await removeFile(temporary).catch(() => undefined);
    throw error;
  }
}

/** Makes what is not there before; what somebody left who was stopped in the midst of it is removed. */
export async function makeAnew(
  make: () => Promise<unknown>,
  remove: () => Promise<void>,
): Promise<void> {
  try {
    await make();
  } catch (error) {
    if (!hasCode(error, "EEXIST")) throw error;
    await remove();
    await make();
  }
}

/** A file, or a link, where there is one. `rm` of Node's looks at it two times before. */
export async function removeFile(path: string): Promise<void> {
  try {
    await unlink(path);
  } catch (error) {
    if (!hasCode(error, "ENOENT")) throw error;
  }
}

/**
 * Gives one folder another owner and mode, and nothing that is in it. Its name may be swapped for a link's, but
 * not followed; for the moment in between nobody has it but root.
 */
export async function giveFolder(
  path: string,
  { uid, gid }: { uid: number; gid: number },
  mode: number,
): Promise<void> {
  const folder = await open(
    path,
    constants.O_RDONLY | constants.O_DIRECTORY | constants.O_NOFOLLOW,
  );
  try {
    await folder.chown(0, 0);
    await folder.chmod(mode);
    await folder.chown(uid, gid);
  } finally {
    await folder.close();
  }
}

export async function readIfPresent(path: string): Promise<string | undefined> {
  try {
    return await readFile(path, "utf8");
  } catch (error) {
    if (hasCode(error, "ENOENT")) return undefined;
    throw error;
  }
}

/**
 * A file that somebody else may write, opened; undefined where there is none. In its place a link is not followed,
 * and nobody waits at a pipe.
 */
export async function openForeign(
  path: string,
  flags = constants.O_RDONLY,
): Promise<FileHandle | undefined> {
  const careful = flags | constants.O_NOFOLLOW | constants.O_NONBLOCK;
  const file = await open(path, careful, 0o640).catch((error: unknown) => {
    if (hasCode(error, "ENOENT")) return undefined;
    throw error;
  });
  if (!file || (await file.stat()).isFile()) return file;
  await file.close();
  throw new Error(`${path} is no file`);
}

/** Bytes of a file from a place on; fewer where it ends before, or was cut off meanwhile. */
export async function readAt(file: FileHandle, at: number, length: number): Promise<Buffer> {
  const { buffer, bytesRead } = await file.read(Buffer.alloc(length), 0, length, at);
  return buffer.subarray(0, bytesRead);
}

/** What is at the path itself: a link is a link, whatever it leads to. */
export async function kindOf(
  path: string,
): Promise<"absent" | "link" | "socket" | "folder" | "other"> {
  try {
    const found = await lstat(path);
    if (found.isSymbolicLink()) return "link";
    if (found.isSocket()) return "socket";
    return found.isDirectory() ? "folder" : "other";
  } catch (error) {
    if (hasCode(error, "ENOENT")) return "absent";
    throw error;
  }
}

export async function isPresent(path: string): Promise<boolean> {
  return (await kindOf(path)) !== "absent";
}

export async function isExecutable(path: string): Promise<boolean> {
  try {
    await access(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
