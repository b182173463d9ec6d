import { chmod, lchown, lutimes, mkdir, readdir, rename } from "node:fs/promises";
import { join } from "node:path";
import { releasePath, type InstancePaths } from "../../names/instance.ts";
import { absentCommit } from "../../names/names.ts";
import { tellsNoSpace, UserError } from "../../errors.ts";
import type { Box } from "../../system/box.ts";
import {
  giveFolder,
  isPresent,
  readIfPresent,
  removeFile,
  writeAtomically,
} from "../../system/files.ts";
import { emptyTree, type GitContext } from "../../system/git.ts";
import { CommandFailed, type Command, type System, type Identity } from "../../system/system.ts";
import { together } from "../../system/together.ts";
import { removeTrees, walk } from "../../system/walker.ts";
import {
  checkOut,
  compileSources,
  linkedCopyOf,
  everySource,
  listChanges,
  listChangesOfIndex,
  openingOf,
  parseChanges,
  pinReleases,
  sealOf,
  sourcesIn,
  unpinRelease,
  type Change,
  type Compiler,
} from "./release-commands.ts";
import { wholeTree } from "../../names/whole-tree.ts";

export interface ReleaseContext {
  system: System;
  git: GitContext;
  /** What is kept of the app's submodules. */
  submodules: string;
  paths: InstancePaths;
  instance: string;
  python: string;
  /** git runs as this user, into a tree that belongs to it until it is sealed; in the app's group, which may read it. */
  gitUser: Identity;
  appUser: Identity;
  /** What compiling its sources may take, and for how many milliseconds. */
  box: Box;
  deadline: number;
  /** Aborted when nobody wants the release any more. */
  signal?: AbortSignal | undefined;
}

export interface Release {
  commit: string;
  path: string;
  /** Whether it had to be checked out. */
  made: boolean;
  /** How many files that took, and what the staging tree held before. */
  changed: number;
  from: string;
}

/** What stands in git for a commit's whole tree, and a git that finds it. */
type Whole = Awaited<ReturnType<typeof wholeTree>>;

/** Refuses a commit before any of it is on the disk. */
export type Judge = (whole: Whole, signal: AbortSignal) => Promise<unknown>;

/**
 * Puts a commit's tree on disk, compiled and closed, or finds the one that is there.
 *
 * The staging tree is a copy by hard links of the release before, with the index that goes with it, so
 * that git only touches what changed. It becomes the release by a rename; the next one is laid out later, and
 * only then is each file of this one root's: until then its folder keeps everybody out who could write to them.
 */
export async function makeRelease(
  context: ReleaseContext,
  commit: string,
  judge: Judge = () => Promise.resolve(),
): Promise<Release> {
  const path = releasePath(context.paths, commit);
  if (await isPresent(path)) return { commit, path, made: false, changed: 0, from: commit };

  const whole = await wholeTree(context.git, context.submodules, commit);
  const [from] = await together(
    () => layOutStaging(context),
    (ended) => judge(whole, ended),
    context.signal,
  );
  const changes = await stage(context, { from, commit, whole });

  const sealing = stagingOf(context.paths).sealing;
  await rename(stagingOf(context.paths).tree, sealing);
  // Only root and the app pass this folder: what is in it may still be git's user's.
  if (context.system.isRoot) await giveFolder(sealing, { uid: 0, gid: context.appUser.gid }, 0o750);
  else await context.system.run(walk([sealOf(sealing, context)]));
  await rename(sealing, path);
  // Without root a folder that cannot be written cannot be moved either: it is closed where it stays.
  if (!context.system.isRoot) await chmod(path, 0o555);
  return { commit, path, made: true, changed: changes.length, from };
}

/** Milliseconds for what is only told. */
const timeout = 3000;

/**
 * How many files the release has that differ from an older commit; of a first commit, all of them. Undefined where
 * that cannot be told soon: the older one may be of any size, if it was never on the air.
 */
export async function countChanges(
  context: ReleaseContext,
  release: Release,
  older: string,
): Promise<number | undefined> {
  const before = older === absentCommit ? emptyTree : older;
  if (release.made && release.from === before) return release.changed;
  const { system, signal } = context;
  try {
    const whole = await wholeTree(context.git, context.submodules, release.commit);
    const changes = await changesBetween(context, before, whole);
    const listing = { ...changes, deadline: timeout };
    return parseChanges(await system.run(listing, { signal })).length;
  } catch (error) {
    if (!(error instanceof CommandFailed)) throw error;
    return undefined;
  }
}

/** Gives a refused release's tree back to the staging area, where it saves the next checkout. */
export async function takeBackRelease(context: ReleaseContext, commit: string): Promise<void> {
  const { tree, next, basis } = stagingOf(context.paths);
  const path = releasePath(context.paths, commit);
  await sweepStaging(context);
  if (!(await isPresent(path))) return;
  if ((await readIfPresent(basis)) !== commit || (await isPresent(tree))) {
    await removeRelease(context, commit);
    return;
  }
  if (!context.system.isRoot) await chmod(path, 0o755);
  await rename(path, next);
  await context.system.run(walk([openingOf(next, context)]));
  await rename(next, tree);
}

/** The commit that the staging tree was made for, if any; after a power cut the file may hold nothing. */
export async function stagedCommit(paths: InstancePaths): Promise<string | undefined> {
  const commit = await readIfPresent(stagingOf(paths).basis);
  return commit === "" ? undefined : commit;
}

/** Makes the staging tree ready for the next checkout. Resolves to the commit it holds, or to the empty tree. */
export async function layOutStaging(context: ReleaseContext): Promise<string> {
  const { system, paths } = context;
  const { tree, next, index } = stagingOf(paths);
  // Without the index git would leave what the next commit no longer has.
  const commit = (await isPresent(index)) ? await stagedCommit(paths) : undefined;
  if (commit !== undefined && (await isPresent(tree))) return commit;

  const source = commit === undefined ? undefined : releasePath(paths, commit);
  if (commit === undefined || source === undefined || !(await isPresent(source))) {
    await emptyStaging(context);
    return emptyTree;
  }
  // Nothing of it is shared with a tree that git writes to before it is root's; without root it was sealed at once.
  const seal = system.isRoot ? [sealOf(source, context)] : [];
  const copy = linkedCopyOf(source, next, context);
  await system.run(walk([{ do: "remove", path: next }, ...seal, copy]));
  await system
    .run(compileSources(compilerOf(context), next, everySource))
    .catch((error: unknown) => {
      // Bytecode saves time and nothing else: what the compiler cannot take is the app's own to find out.
      if (!(error instanceof CommandFailed)) throw error;
    });
  await rename(next, tree);
  return commit;
}

/** Keeps git from eating the commits of the releases that are kept, and removes every other release. */
export async function pruneReleases(
  context: ReleaseContext,
  kept: ReadonlySet<string>,
): Promise<string[]> {
  const there = await readdir(context.paths.releases);
  const pinned = there.filter((commit) => kept.has(commit));
  if (pinned.length > 0)
    await context.system.run(pinReleases(context.git, context.instance, pinned));
  const removed = there.filter((commit) => !kept.has(commit));
  for (const commit of removed) await removeRelease(context, commit);
  return removed;
}

/** Removes what a release that was never finished left in the staging area. */
export async function sweepStaging(context: ReleaseContext): Promise<void> {
  const { sealing, next } = stagingOf(context.paths);
  await removeTrees(context.system, sealing, next);
}

async function removeRelease(context: ReleaseContext, commit: string): Promise<void> {
  await context.system.run(unpinRelease(context.git, context.instance, commit));
  await removeTrees(context.system, releasePath(context.paths, commit));
}

/**
 * So few changed sources are compiled by the app's own start in less time than a compiler takes to start.
 * Their bytecode is made when the next staging tree is laid out, and is in the releases after this one.
 */
const fewSources = 20;

async function changesBetween(
  { submodules }: ReleaseContext,
  from: string,
  { git, tree }: Whole,
): Promise<Command> {
  const older = await wholeTree(git, submodules, from);
  return listChanges(older.git, older.tree, tree);
}

/**
 * Turns the staging tree into the commit's. Resolves to what that changed: git tells it beside the checkout, since most
 * of the time of both is that of a start.
 */
async function stage(
  context: ReleaseContext,
  { from, commit, whole }: { from: string; commit: string; whole: Whole },
): Promise<Change[]> {
  const { system, gitUser, paths, signal } = context;
  const { tree, index, basis } = stagingOf(paths);
  try {
    // From here until the end the tree is neither the one nor the other.
    await removeFile(basis);
    const checkingOut = checkOut({ ...whole.git, as: gitUser }, { tree, index }, whole.tree);
    const forgotten = await listForgotten(context, from, whole);
    const [, listed] = await together(
      (ended) => system.run(checkingOut, { signal: ended }),
      async (ended) =>
        forgotten ?? system.run(await changesBetween(context, from, whole), { signal: ended }),
      signal,
    );
    await setIndexTime(index);
    const changes = parseChanges(listed);
    const sources = sourcesIn(changes);
    const isUrgent = sources.length > fewSources || sources.some((source) => source[0] === "-");
    if (isUrgent) await system.run(compileSources(compilerOf(context), tree, sources), { signal });
    await writeAtomically(basis, commit, { mode: 0o600, lasting: false });
    return changes;
  } catch (error) {
    await emptyStaging(context);
    throw explain(context, commit, error);
  }
}

/**
 * The same where the staging tree holds a commit that was refused, or whose release is gone: git may have forgotten
 * it, but the index still says what is there, until the checkout changes it.
 */
async function listForgotten(
  { system, gitUser, paths, signal }: ReleaseContext,
  from: string,
  { git, tree }: Whole,
): Promise<string | undefined> {
  if (from === emptyTree || (await isPresent(releasePath(paths, from)))) return undefined;
  const { index } = stagingOf(paths);
  return system.run(listChangesOfIndex({ ...git, as: gitUser }, index, tree), { signal });
}

function compilerOf({ python, gitUser, box, deadline }: ReleaseContext): Compiler {
  return { python, as: gitUser, box, deadline };
}

/**
 * git reads every file again whose time is not before the index's, in whole seconds (racy-git(7)): of
 * 20,000 files that were just checked out, thousands.
 */
async function setIndexTime(index: string): Promise<void> {
  const later = Date.now() / 1000 + 1;
  await lutimes(index, later, later);
}

function explain({ paths, python }: ReleaseContext, commit: string, error: unknown): unknown {
  if (!(error instanceof CommandFailed)) return error;
  if (error.command.file === python) {
    const message = `the sources of ${commit} could not be compiled:\n${error.message}`;
    return new UserError("RELEASE_FAILED", message, { cause: error });
  }
  // git does not say why it could not write; a full disk is the one reason that a plain file has.
  const full = tellsNoSpace(error.output) || error.output.includes("unable to write file");
  return new UserError(
    full ? "NO_SPACE" : "RELEASE_FAILED",
    full
      ? `no space left on the disk at ${paths.folder}:\n${error.output}`
      : `git could not check out ${commit}:\n${error.message}`,
    { cause: error },
  );
}

async function emptyStaging(context: ReleaseContext): Promise<void> {
  const { system, paths, gitUser } = context;
  const { folder, tree, indexFolder, basis } = stagingOf(paths);
  await removeFile(basis);
  await removeTrees(system, tree, indexFolder);
  await mkdir(folder, { recursive: true });
  await chmod(folder, 0o711);
  for (const made of [indexFolder, tree]) {
    await mkdir(made, { mode: 0o750 });
    if (system.isRoot) await lchown(made, gitUser.uid, gitUser.gid);
  }
}

/** The folder is root's; `tree` and `git/`, inside it, are git's user's. */
function stagingOf(
  paths: InstancePaths,
): Record<"folder" | "tree" | "next" | "sealing" | "indexFolder" | "index" | "basis", string> {
  const folder = paths.staging;
  return {
    folder,
    tree: join(folder, "tree"),
    next: join(folder, "next"),
    sealing: join(folder, "sealing"),
    indexFolder: join(folder, "git"),
    index: join(folder, "git", "index"),
    basis: join(folder, "basis"),
  };
}
