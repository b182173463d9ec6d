import { join } from "node:path";
import { constants as zlib, inflateSync } from "node:zlib";
import { absentCommit } from "../names/names.ts";
import { openForeign, readAt } from "./files.ts";
import type { Command, System, Identity, RunOptions } from "./system.ts";
import type { Limits } from "./limits.ts";

/** Who runs git, with which configuration. */
export interface GitContext {
  repository: string;
  /** The only configuration git reads, beside the repository's own. */
  configuration: string;
  as?: Identity | undefined;
  /** What each git may take: it reads what somebody pushed. */
  limits?: Limits | undefined;
  /** Folders of objects that it finds beside the repository's own. */
  borrows?: readonly string[] | undefined;
}

/** What git calls the folder among its objects that holds those of a push which is still judged (git-receive-pack(1)). */
export const quarantineName = /^(?:tmp_objdir-)?incoming-[A-Za-z0-9]+$/;

/** Where a push's own objects are: they become the repository's only when it is accepted. */
export function quarantinePath(repository: string, quarantine: string): string {
  return join(repository, "objects", quarantine);
}

/** The same, for who reads what is still in quarantine as well. */
export function withQuarantine(git: GitContext, quarantine: string | undefined): GitContext {
  return quarantine === undefined
    ? git
    : { ...git, borrows: [quarantinePath(git.repository, quarantine)] };
}

/**
 * git with an environment made from nothing. A build or a hook must never hand on `GIT_*`
 * (`GIT_QUARANTINE_PATH` breaks every other repository), and replaced objects would change what is deployed.
 */
export function gitEnvironment(configuration: string): Record<string, string> {
  return {
    GIT_CONFIG_NOSYSTEM: "1",
    GIT_CONFIG_GLOBAL: configuration,
    GIT_NO_REPLACE_OBJECTS: "1",
    GIT_TERMINAL_PROMPT: "0",
    // To whatever git does for us its bytes are bytes: the files of a locale would be read for nothing, by each command
    // before it and by each that it starts.
    LANG: "C",
    HOME: "/nonexistent",
  };
}

export function gitCommand(
  context: GitContext,
  args: string[],
  { cwd = context.repository, ...more }: Partial<Command> = {},
): Command {
  return {
    file: "git",
    // Whoever sweeps a repository sees by where it stands that somebody works on it. It goes there itself.
    args: [`--git-dir=${context.repository}`, "-C", cwd, ...args],
    as: context.as,
    limits: context.limits,
    ...more,
    env: { ...gitEnvironment(context.configuration), ...borrowing(context), ...more.env },
  };
}

function borrowing({ borrows = [] }: GitContext): Record<string, string> {
  return borrows.length === 0 ? {} : { GIT_ALTERNATE_OBJECT_DIRECTORIES: borrows.join(":") };
}

/**
 * A file in a repository: there may be objects in it that belong to no ref. It is there before they are, and goes when
 * they are gone; hooks/exec/git looks for it.
 */
export function unclaimedPath(repository: string): string {
  return join(repository, "unclaimed");
}

/** Milliseconds for an answer that takes some: what lies in a repository is its owner's to make wait for ever. */
const timeout = 60_000;

/** Where a ref stands; the absent commit where there is none. */
export async function currentCommit(
  system: System,
  context: GitContext,
  ref: string,
): Promise<string> {
  const loose = await readLooseRef(join(context.repository, ref));
  if (loose !== undefined) return loose;
  // Behind the ref itself come those whose names begin with it, up to a slash.
  const [line = ""] = await listRefs(system, context, ["--format=%(refname) %(objectname)", ref]);
  return line.startsWith(`${ref} `) ? line.slice(ref.length + 1) : absentCommit;
}

/** Words of git-for-each-ref(1) to lines, in the order of their names. */
export async function listRefs(
  system: System,
  context: GitContext,
  words: string[],
  { signal, ...more }: Partial<Command> & Pick<RunOptions, "signal"> = {},
): Promise<string[]> {
  const listing = gitCommand(context, ["for-each-ref", ...words], { deadline: timeout, ...more });
  return (await system.run(listing, { signal })).split("\n").filter(Boolean);
}

/**
 * A loose ref wins over a packed one, and is a file of 41 bytes (gitrepository-layout(5)): reading it saves
 * the start of a git on the way of every push. Whatever looks otherwise is git's own to answer.
 */
async function readLooseRef(path: string): Promise<string | undefined> {
  const start = await readStart(path, 42);
  return start && /^([0-9a-f]{40})\n$/.exec(start.toString("latin1"))?.[1];
}

/** The first bytes of a file, undefined where there is none: of the branch a/b there is a folder a. */
async function readStart(path: string, length: number): Promise<Buffer | undefined> {
  const file = await openForeign(path).catch(() => undefined);
  if (!file) return undefined;
  try {
    return await readAt(file, 0, length);
  } finally {
    await file.close();
  }
}

/**
 * commit, tree, blob or tag. A loose object says it in its first bytes (gitformat-loose(5)): reading them saves the
 * start of a git on the way of every push.
 */
export async function objectType(system: System, context: GitContext, id: string): Promise<string> {
  const start = await readLoose(context, id, longestStart);
  const loose = /^(commit|tree|blob|tag) \d+\0/.exec(start)?.[1];
  const asking = gitCommand(context, ["cat-file", "-t", id], { deadline: timeout });
  return loose ?? (await system.run(asking)).trim();
}

/** Whether a commit that was just pushed is a child of that one; a no may mean that it is not known without a git. */
export async function isChild(context: GitContext, id: string, parent: string): Promise<boolean> {
  const start = await readLoose(context, id, longestParents);
  const [parents = ""] = /^commit \d+\0tree .{40}\n(?:parent .{40}\n)*/.exec(start) ?? [];
  return parents.includes(`\nparent ${parent}\n`);
}

const longestParents = 512;

/** The first bytes of a loose object, unpacked; nothing where it is none. */
async function readLoose(
  { repository, borrows = [] }: GitContext,
  id: string,
  length: number,
): Promise<string> {
  for (const folder of [...borrows, join(repository, "objects")]) {
    const start = await readStart(join(folder, id.slice(0, 2), id.slice(2)), length);
    if (start) return inflated(start);
  }
  return "";
}

/** Bytes of a loose object that hold its type in any case, packed as they are. */
const longestStart = 128;

function inflated(start: Buffer): string {
  try {
    return inflateSync(start, { finishFlush: zlib.Z_SYNC_FLUSH }).toString("latin1");
  } catch {
    return "";
  }
}

/** Notes that there may be objects from now on that belong to no ref. */
export function touchUnclaimed({ repository, as }: GitContext): Command {
  return { file: "touch", args: [unclaimedPath(repository)], as };
}

/** Removes a ref that is still where it was seen. The hooks are left out: they are how git asks us. */
export function deleteRef(context: GitContext, ref: string, commit: string): Command {
  return gitCommand(context, ["-c", "core.hooksPath=/dev/null", "update-ref", "-d", ref, commit]);
}

/** A git that was killed leaves the locks of what it was changing, and they keep every other git away for ever. */
export function listLocks(repositories: string[], as: Identity): Command {
  const locks = ["-name", "*.lock", "!", "-path", "*/objects/*"];
  return { file: "find", args: [...repositories, "-type", "f", ...locks, "-print0"], as };
}

/** The tree that holds nothing; git knows it without having it. */
export const emptyTree = "4b825dc642cb6eb9a060e54bf8d69288fbee4904";
