import { UserError } from "../errors.ts";
import type { GitContext } from "../host/git.ts";
import { CommandFailed, type Host } from "../host/host.ts";
import { listEntries } from "./release-commands.ts";

/** What a release may hold. */
export interface Size {
  /** Files and folders. */
  files: number;
  bytes: number;
}

/** Bytes of a path below the release: the system's own limit is 4096, and more paths than this one are made of it. */
const longestPath = 1024;
/** Bytes of all paths together: their lists are kept in memory, and compared. */
const longestPaths = 16 * 1024 * 1024;
/** Bytes of a link's target; no system makes a link to a longer path (symlink(2)), and git reads it whole. */
const longestTarget = 4095;

interface Looking {
  host: Host;
  git: GitContext;
  most: Size;
  signal?: AbortSignal | undefined;
}

/**
 * Refuses a commit that would be too large on disk, before any of it is there. A few objects may stand for any
 * number of files, a tree that holds one other tree ten times say: git, which goes through all of them, is ended
 * where it passes a limit.
 */
export async function expectFits(
  { host, git, most, signal }: Looking,
  commit: string,
): Promise<void> {
  const seen = { files: 0, bytes: 0, paths: 0 };
  const enough = new AbortController();
  const onLine = (line: string): void => {
    const problem = problemOf(seen, line, most);
    if (problem) enough.abort(problem);
  };
  const signals = [enough.signal, ...(signal ? [signal] : [])];
  try {
    await host.run(listEntries(git, commit), { onLine, signal: AbortSignal.any(signals) });
  } catch (error) {
    if (!(error instanceof CommandFailed)) throw error;
    const message = `git could not list what ${commit} holds:\n${error.message}`;
    throw new UserError("RELEASE_FAILED", message, { cause: error });
  }
}

/** Counts one entry; what it says if that was one too many, or one that cannot be. */
function problemOf(
  seen: Size & { paths: number },
  line: string,
  most: Size,
): UserError | undefined {
  const [mode, size, path] = parseEntry(line);
  seen.files += 1;
  seen.bytes += size;
  seen.paths += path.length;
  if (path.length > longestPath)
    return unfit(`the path ${path.slice(0, 100)}… is longer than ${longestPath} bytes`);
  if (mode === linkMode && size > longestTarget)
    return unfit(`${path} is a link to a path of more than ${longestTarget} bytes`);
  if (seen.paths > longestPaths)
    return tooLarge(
      `the paths of its files are longer than ${longestPaths / 2 ** 20} MiB together`,
    );
  if (seen.files > most.files)
    return tooLarge(`it has more than ${most.files} files and folders (option release_files)`);
  if (seen.bytes > most.bytes)
    return tooLarge(`its files are larger than ${most.bytes / 2 ** 20} MiB (option release_size)`);
  return undefined;
}

const linkMode = "120000";

/** `MODE SIZE PATH`; of what is no file the size is `-`. */
function parseEntry(line: string): [mode: string, size: number, path: string] {
  const [mode = "", size = ""] = line.slice(0, 40).split(" ", 2);
  return [mode, Number(size) || 0, line.slice(mode.length + size.length + 2)];
}

function tooLarge(what: string): UserError {
  return new UserError("RELEASE_TOO_LARGE", `this commit is too large for a release: ${what}`);
}

function unfit(what: string): UserError {
  return new UserError("RELEASE_FAILED", `this commit cannot be put on a disk: ${what}`, {
    hint: "Give it a shorter one, commit, and push again.",
  });
}
