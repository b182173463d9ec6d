import { chmod, mkdir, mkdtemp, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, posix } from "node:path";
import { absentCommit } from "../../names/names.ts";
import { giveFolder } from "../../system/files.ts";
import { gitCommand, listRefs, type GitContext } from "../../system/git.ts";
import { CommandFailed, type System } from "../../system/system.ts";
import { together } from "../../system/together.ts";
import { removeTrees } from "../../system/walker.ts";
import type { Coverage } from "../store/coverage.ts";

/** Bytes of names; a tree with more of them counts as a whole. */
const longestListing = 4 * 1024 * 1024;

export interface Where {
  system: System;
  git: GitContext;
  commit: string;
  /** What is in it, where that is more than git has by the commit's own name. */
  tree?: string;
  signal?: AbortSignal | undefined;
}

/**
 * git's own names for the contents of all that these requirements reach in a commit's tree, and the commit itself
 * where that may be anything in it: what a package's own build reads, nobody can tell.
 */
export async function contentsOf(where: Where, coverage: Coverage): Promise<string | undefined> {
  const { local, reads, whole } = coverage;
  const paths = reads.map(({ path }) => posix.normalize(path));
  if (whole || local.length > 0 || paths.includes(".")) return where.commit;
  if (reads.length === 0) return undefined;
  const { system, git, commit, tree = commit, signal } = where;
  const input = reads.map(({ path }) => `${tree}:${path}\n`).join("");
  const asking = gitCommand(git, ["cat-file", "--batch-check", "--follow-symlinks"], { input });
  const listing = gitCommand(
    git,
    ["ls-tree", "-r", "-t", "-z", "--full-tree", tree, "--", ...paths],
    {
      longestOutput: longestListing,
    },
  );
  try {
    const [named, listed] = await together(
      (one) => system.run(asking, { signal: one }),
      (one) => system.run(listing, { signal: one }),
      signal,
    );
    // Where nothing is, git names the tree as well.
    return isSure(named, listed, reads) ? named.replaceAll(`${tree}:`, "") : commit;
  } catch (error) {
    if (error instanceof CommandFailed && error.tooLong) return commit;
    throw error;
  }
}

/** Milliseconds: a history without tags is looked through to its beginning. */
const timeout = 10_000;
/** Fields of `.git_archival.txt`, as setuptools-scm, and hatch-vcs with it, read them where there is no repository. */
const fields = [
  "node: %H",
  "node-date: %cI",
  "describe-name: %(describe:tags=true,match=*[0-9]*)",
].join("%n");

/** A tag as a push makes it, which git has not moved yet. */
export interface PushedTag {
  ref: string;
  newCommit: string;
}

/**
 * What git says of a commit whose packages may have their version from its tags, those of the same push among them;
 * empty where it cannot say it soon.
 */
export async function describeCommit(
  where: Where,
  pushed: readonly PushedTag[] = [],
): Promise<string> {
  const { system, commit, signal } = where;
  const words = ["log", "-1", "--no-color", `--format=${fields}`, commit];
  const ask = (git: GitContext): Promise<string> =>
    system.run({ ...gitCommand(git, words), deadline: timeout }, { signal });
  try {
    return await (pushed.length === 0 ? ask(where.git) : withTags(where, pushed, ask));
  } catch (error) {
    if (error instanceof CommandFailed) return "";
    throw error;
  }
}

/** Has git read a repository that has these tags by now, and the objects of the other one. */
async function withTags<T>(
  { system, git, signal }: Where,
  pushed: readonly PushedTag[],
  work: (git: GitContext) => Promise<T>,
): Promise<T> {
  const words = ["--format=%(refname) %(objectname)", "refs/tags"];
  const tags = new Map<string, string>();
  for (const line of await listRefs(system, git, words, {
    longestOutput: longestListing,
    signal,
  })) {
    const [ref, id] = line.split(" ", 2);
    if (ref && id) tags.set(ref, id);
  }
  for (const { ref, newCommit } of pushed)
    if (newCommit === absentCommit) tags.delete(ref);
    else tags.set(ref, newCommit);
  const repository = await mkdtemp(join(tmpdir(), "reeve-tags-"));
  try {
    for (const folder of ["refs", "objects/info"])
      await mkdir(join(repository, folder), { recursive: true });
    const packed = [...tags].map(([ref, id]) => `${id} ${ref}\n`);
    await writeFile(join(repository, "packed-refs"), packed.join(""));
    await writeFile(join(repository, "objects/info/alternates"), `${git.repository}/objects\n`);
    await writeFile(join(repository, "HEAD"), "ref: refs/heads/none\n");
    // git runs as another user than who writes here, and whoever else passes by may not see which tags there are.
    for (const folder of ["refs", "objects", "objects/info"])
      await chmod(join(repository, folder), 0o755);
    for (const file of ["packed-refs", "objects/info/alternates", "HEAD"])
      await chmod(join(repository, file), 0o644);
    if (git.as && system.isRoot) await giveFolder(repository, git.as, 0o700);
    return await work({ ...git, repository });
  } finally {
    await removeTrees(system, repository);
  }
}

/** Whether the names stand for all that is reached: a link, a submodule or a page leads on to other things. */
function isSure(named: string, listed: string, reads: Coverage["reads"]): boolean {
  const entries = listed.split("\0").filter(Boolean);
  if (entries.some((entry) => /^1[26]0000 |\.s?html?$/i.test(entry))) return false;
  const folders = reads.filter(({ as }) => as === "folder").map(({ path }) => normal(path));
  const reached = new Set(folders);
  const known = new Set(
    entries
      .filter((entry) => reached.has(entry.slice(entry.indexOf("\t") + 1)))
      .map((entry) => /^040000 tree ([0-9a-f]{40})\t/.exec(entry)?.[1]),
  );
  const replies = named.split("\n").filter(Boolean);
  // Of a link that leads nowhere it is said where to.
  if (replies.length !== reads.length) return false;
  return reads.every(({ as }, at) => {
    const [, id, type] = /^([0-9a-f]{40}) (\w+) /.exec(replies[at] ?? "") ?? [];
    if (type === "tree") return known.has(id);
    // uv takes any file for a page where a folder is asked for.
    return as === "archive" || type === undefined;
  });
}

function normal(path: string): string {
  return posix.normalize(path).replace(/\/$/, "");
}
