import { mkdir, readdir, rename } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { shortCommit } from "../../names/names.ts";
import { UserError } from "../../errors.ts";
import { milliseconds } from "../../system/clock.ts";
import { giveFolder, isPresent, openForeign, readAt, writeAtomically } from "../../system/files.ts";
import { objectType, type GitContext } from "../../system/git.ts";
import { CommandFailed, type System, type Identity } from "../../system/system.ts";
import { removeTrees, walk } from "../../system/walker.ts";
import { expectFetchable, readModules } from "./modules.ts";
import { expectFits, mostLinks, type Size, type Suspects } from "./size.ts";
import {
  fetchCommit,
  makeRepository,
  putIn,
  readTree,
  writeTree,
  type Bench,
  type Fetching,
} from "./submodule-commands.ts";
import { puttingIn } from "./whole.ts";

// Of an app whose submodules are fetched, two folders are kept beside its repository, of which nothing is changed once
// it is there: fetched/COMMIT, a repository with one commit of a submodule, and whole/COMMIT, the tree of one of the
// app's own commits with its submodules' files in it.

export interface Composing {
  system: System;
  /** The app's repository. */
  git: GitContext;
  /** What is kept of the app's submodules. */
  folder: string;
  fetching: Fetching;
  /** git runs as this user. */
  gitUser: Identity;
  /** What the whole tree may hold. */
  most: Size;
  signal: AbortSignal;
  onLine: (line: string) => void;
}

/** A commit whose files belong into a folder of the app's. */
interface Part {
  path: string;
  commit: string;
  repository: string;
}

/** Submodules of submodules of the app's own. */
const deepest = 5;

/** Puts the files of a commit's submodules into its tree, unless it has none; whoever calls has the app to itself. */
export async function putTogether(context: Composing, commit: string): Promise<void> {
  const path = join(context.folder, "whole", commit);
  if (await isPresent(path)) return;
  const suspects = await expectFits(lookingAt(context, context.git), commit);
  if (suspects.links.length === 0) return;
  await provideFolders(context);
  const parts = await collect(context, suspects);
  try {
    await compose(context, { path, commit, parts });
  } catch (error) {
    if (!(error instanceof CommandFailed)) throw error;
    const message = `git could not put the submodules of ${commit} into its tree:\n${error.message}`;
    throw new UserError("RELEASE_FAILED", message, { cause: error });
  } finally {
    await removeTrees(context.system, `${path}.making`);
  }
}

/** Removes what none of these commits needs; whoever calls has the app to itself. */
export async function sweepSubmodules(
  system: System,
  folder: string,
  kept: ReadonlySet<string>,
): Promise<void> {
  const whole = join(folder, "whole");
  const there = await namesIn(whole);
  const left = there.filter((name) => kept.has(name));
  const used = new Set<string>();
  for (const commit of left)
    for (const repository of await partsOf(join(whole, commit, "objects")))
      used.add(basename(repository));
  const fetched = (await namesIn(join(folder, "fetched"))).filter((name) => !used.has(name));
  const removed = there.filter((name) => !kept.has(name));
  await removeTrees(
    system,
    ...removed.map((name) => join(whole, name)),
    ...fetched.map((name) => join(folder, "fetched", name)),
  );
}

async function namesIn(folder: string): Promise<string[]> {
  return (await isPresent(folder)) ? readdir(folder) : [];
}

/** Bytes of a list of as many repositories as a commit may have. */
const longestParts = 64 * 1024;

/** The folder is git's user's. */
async function partsOf(objects: string): Promise<string[]> {
  const file = await openForeign(join(objects, "info", "alternates"));
  if (!file) return [];
  try {
    const text = (await readAt(file, 0, longestParts)).toString();
    return text.split("\n").filter(Boolean).map(dirname);
  } finally {
    await file.close();
  }
}

async function provideFolders({ system, folder }: Composing): Promise<void> {
  for (const path of [folder, join(folder, "fetched"), join(folder, "whole")]) {
    await mkdir(path, { recursive: true });
    // git passes through, to what is its own in there.
    if (system.isRoot) await giveFolder(path, { uid: 0, gid: 0 }, 0o711);
  }
}

function lookingAt(
  { system, most, signal }: Composing,
  git: GitContext,
): { system: System; git: GitContext; most: Size; signal: AbortSignal } {
  return { system, git, most, signal };
}

/** All that a commit's submodules name, and theirs, each fetched: what holds others comes before them. */
async function collect(context: Composing, suspects: Suspects): Promise<Part[]> {
  const parts: Part[] = [];
  const budget = {
    end: milliseconds() + context.fetching.deadline,
    bytes: context.fetching.most,
  };
  let held = suspects.size;
  const waiting = [{ prefix: "", depth: 1, git: context.git, suspects }];
  for (const { prefix, depth, git, suspects: inside } of waiting) {
    const modules = await readModules(
      { ...context, box: context.fetching.box, git },
      inside.commit,
    );
    for (const { id: commit, path: name } of inside.links) {
      const path = `${prefix}${name}`;
      expectFew(path, parts.length, depth);
      const module = modules.get(name);
      if (!module) throw nameless(path);
      const wanted = { ...expectFetchable(path, module, context.fetching.hosts), path, commit };
      const repository = await provideRepository(context, wanted, budget);
      const found = { ...git, repository, borrows: [] };
      const size = await expectFits({ ...lookingAt(context, found), held }, commit);
      held = size.size;
      parts.push({ path, commit, repository });
      waiting.push({ prefix: `${path}/`, depth: depth + 1, git: found, suspects: size });
    }
  }
  return parts;
}

function expectFew(path: string, parts: number, depth: number): void {
  if (parts >= mostLinks)
    throw new UserError(
      "SUBMODULE_REFUSED",
      `${path}: a commit may have ${mostLinks} submodules, those of its submodules included`,
    );
  if (depth > deepest)
    throw new UserError(
      "SUBMODULE_REFUSED",
      `${path}: submodules may be ${deepest} deep in each other`,
    );
}

function nameless(path: string): UserError {
  return new UserError(
    "SUBMODULE_REFUSED",
    `${path}: the commit names a commit of another repository here, and no .gitmodules says where that is`,
    puttingIn([{ path }]),
  );
}

interface Wanted {
  path: string;
  commit: string;
  url: string;
  host: string;
}

/** The repository that has the commit: fetched, or there from before. */
async function provideRepository(
  context: Composing,
  wanted: Wanted,
  budget: { end: number; bytes: number },
): Promise<string> {
  const { system, folder, gitUser, git, onLine } = context;
  const path = join(folder, "fetched", wanted.commit);
  if (await isPresent(path)) return path;
  const making = `${path}.making`;
  try {
    await removeTrees(system, making);
    await mkdir(making, { mode: 0o700 });
    if (system.isRoot) await giveFolder(making, gitUser, 0o700);
    await fetchInto({ ...git, repository: making, borrows: [] }, context, wanted, budget);
    budget.bytes -= await sizeOnDisk(system, making);
    await rename(making, path);
  } finally {
    await removeTrees(system, making);
  }
  onLine(`    ${wanted.path}: ${shortCommit(wanted.commit)} fetched from ${wanted.host}`);
  return path;
}

async function sizeOnDisk(system: System, path: string): Promise<number> {
  return Number(await system.run(walk([{ do: "measure", path }])));
}

async function fetchInto(
  git: GitContext,
  { system, fetching, signal }: Composing,
  wanted: Wanted,
  { end, bytes }: { end: number; bytes: number },
): Promise<void> {
  const box = { ...fetching.box, fileSize: Math.max(bytes, 1) };
  const fetch = async (by: "id" | "names"): Promise<void> => {
    const command = fetchCommit(git, wanted, { ...fetching, box, by });
    await system.run({ ...command, deadline: Math.max(end - milliseconds(), 1) }, { signal });
  };
  try {
    await system.run(makeRepository(git), { signal });
    await fetch("id").catch(async (error: unknown) => {
      if (!(error instanceof CommandFailed && /unadvertised object/.test(error.output)))
        throw error;
      await fetch("names");
    });
  } catch (error) {
    if (!(error instanceof CommandFailed)) throw error;
    // Who writes more than it may is ended by the kernel, of which git's other half only says that its output is invalid.
    const isFull = (await sizeOnDisk(system, git.repository)) >= bytes;
    throw unfetched(wanted, error, isFull);
  }
  const type = await objectType(system, git, wanted.commit).catch((error: unknown) => {
    if (error instanceof CommandFailed) return "nothing";
    throw error;
  });
  if (type !== "commit") throw unpushed(wanted);
}

/** Why git did not get it, by what it said. */
function unfetched(wanted: Wanted, error: CommandFailed, isFull: boolean): UserError {
  const { path, url } = wanted;
  const said = error.output;
  if (/not our ref|unadvertised object/.test(said)) return unpushed(wanted);
  if (isFull || /File size limit exceeded|signal 25|File too large/.test(said))
    return new UserError(
      "RELEASE_TOO_LARGE",
      `${path}: with what ${url} has for this commit the submodules are larger than a push may be (option push_limit)`,
      { cause: error },
    );
  const closed = /could not read (?:Username|Password)|Authentication failed|error: 40[134]/.test(
    said,
  );
  const elsewhere = /error: 30\d|redirect/.test(said);
  const hint = closed
    ? {
        hint: "reeve has no password for it: a submodule has to be one that everybody may read. Or put its files into this repository, and push again.",
      }
    : elsewhere
      ? {
          hint: "That server leads on to another address, which is not followed: name that one in .gitmodules, commit, and push again.",
        }
      : {};
  const message = `${path}: git could not fetch ${url}:\n${error.message}`;
  return new UserError("SUBMODULE_FAILED", message, { ...hint, cause: error });
}

function unpushed({ path, commit, url }: Wanted): UserError {
  return new UserError("SUBMODULE_FAILED", `${path}: ${url} does not have the commit ${commit}`, {
    hint: "Push the submodule's own commits to where it is fetched from, then push again: git submodule foreach git push origin HEAD",
  });
}

async function compose(
  { system, git, gitUser, signal }: Composing,
  { path, commit, parts }: { path: string; commit: string; parts: Part[] },
): Promise<void> {
  const making = `${path}.making`;
  const bench: Bench = { objects: join(making, "objects"), folder: join(making, "git") };
  await removeTrees(system, making);
  await mkdir(join(bench.objects, "info"), { recursive: true });
  await mkdir(bench.folder);
  const repositories = [...new Set(parts.map(({ repository }) => repository))];
  await writeAtomically(
    join(bench.objects, "info", "alternates"),
    repositories.map((repository) => `${join(repository, "objects")}\n`).join(""),
    { mode: 0o644 },
  );
  if (system.isRoot) {
    const root = { uid: 0, gid: 0 };
    for (const folder of [making, join(bench.objects, "info")])
      await giveFolder(folder, root, 0o755);
    for (const folder of [bench.objects, bench.folder]) await giveFolder(folder, gitUser, 0o700);
  }
  await system.run(readTree(git, bench, commit), { signal });
  for (const part of parts)
    for (const command of putIn(git, bench, part)) await system.run(command, { signal });
  const tree = (await system.run(writeTree(git, bench), { signal })).trim();
  await removeTrees(system, bench.folder);
  await writeAtomically(join(making, "tree"), tree, { mode: 0o644 });
  await rename(making, path);
}
