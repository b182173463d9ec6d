import { UserError } from "../../errors.ts";
import type { GitContext } from "../../system/git.ts";
import { CommandFailed, type System } from "../../system/system.ts";
import { listEntries } from "./release-commands.ts";

/** What a release may hold. */
export interface Size {
  /** Files and folders. */
  files: number;
  bytes: number;
}

/** A file of a commit, or what stands in the place of one. */
export interface Entry {
  id: string;
  size: number;
  /** As git quotes it, where it is no plain text. */
  path: string;
}

/** What a commit's tree holds that may stand for something which is kept elsewhere. */
export interface Suspects {
  commit: string;
  /** What was counted. */
  size: Size;
  /** Commits of other repositories: so many that one more is too many. */
  links: Entry[];
  /** Files of the length that pointers of Git LFS have. */
  pointers: Entry[];
}

/** Bytes of a pointer of Git LFS, https://github.com/git-lfs/git-lfs/blob/main/docs/spec.md, without extensions. */
const pointerSize = { least: 120, most: 200 };
/** Repositories that a commit may name, and all that those name in turn. */
export const mostLinks = 100;
/** So many are read; each takes the place of its bytes in memory as well. */
const mostPointers = 20_000;

/** Bytes of a path below the release: the system's own limit is 4096, and more paths than this one are made of it. */
const longestPath = 1024;
/** Bytes of all paths together: their lists are kept in memory, and compared. */
const longestPaths = 16 * 1024 * 1024;
/** Bytes of a link's target; no system makes a link to a longer path (symlink(2)), and git reads it whole. */
const longestTarget = 4095;

interface Looking {
  system: System;
  git: GitContext;
  most: Size;
  /** What it comes on top of. */
  held?: Size;
  signal?: AbortSignal | undefined;
}

/**
 * Refuses a commit that would be too large on disk, before any of it is there. A few objects may stand for any
 * number of files, a tree that holds one other tree ten times say: git, which goes through all of them, is ended
 * where it passes a limit. Resolves to what is to be looked at more closely: the tree is gone through only once.
 */
export async function expectFits(
  { system, git, most, held = { files: 0, bytes: 0 }, signal }: Looking,
  commit: string,
): Promise<Suspects> {
  const seen = { ...held, paths: 0 };
  const suspects: Suspects = { commit, size: seen, links: [], pointers: [] };
  const enough = new AbortController();
  const onLine = (line: string): void => {
    const [mode, entry] = parseEntry(line);
    suspect(suspects, mode, entry);
    const problem = problemOf(seen, { mode, ...entry }, most);
    if (problem) enough.abort(problem);
  };
  const signals = [enough.signal, ...(signal ? [signal] : [])];
  try {
    await system.run(listEntries(git, commit), { onLine, signal: AbortSignal.any(signals) });
    return suspects;
  } catch (error) {
    if (!(error instanceof CommandFailed)) throw error;
    const message = `git could not list what ${commit} holds:\n${error.message}`;
    throw new UserError("RELEASE_FAILED", message, { cause: error });
  }
}

/** Counts one entry; what it says if that was one too many, or one that cannot be. */
function problemOf(
  seen: Size & { paths: number },
  { mode, size, path }: Entry & { mode: string },
  most: Size,
): UserError | undefined {
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
const gitlinkMode = "160000";

function suspect({ links, pointers }: Suspects, mode: string, entry: Entry): void {
  if (mode === gitlinkMode && links.length <= mostLinks) links.push(entry);
  const isPointer = entry.size >= pointerSize.least && entry.size < pointerSize.most;
  if (isPointer && mode.startsWith("100") && pointers.length < mostPointers) pointers.push(entry);
}

/** `MODE ID SIZE PATH`; of what is no file the size is `-`. */
function parseEntry(line: string): [mode: string, entry: Entry] {
  const [mode = "", id = "", size = ""] = line.slice(0, 80).split(" ", 3);
  const path = line.slice(mode.length + id.length + size.length + 3);
  return [mode, { id, size: Number(size) || 0, path }];
}

function tooLarge(what: string): UserError {
  return new UserError("RELEASE_TOO_LARGE", `this commit is too large for a release: ${what}`);
}

function unfit(what: string): UserError {
  return new UserError("RELEASE_FAILED", `this commit cannot be put on a disk: ${what}`, {
    hint: "Give it a shorter one, commit, and push again.",
  });
}
