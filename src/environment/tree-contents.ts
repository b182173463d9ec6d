import { posix } from "node:path";
import { gitCommand, type GitContext } from "../host/git.ts";
import { CommandFailed, type Host } from "../host/host.ts";
import { together } from "../host/together.ts";
import type { Coverage } from "./coverage.ts";

/** Bytes of names; a tree with more of them counts as a whole. */
const longestListing = 4 * 1024 * 1024;

export interface Where {
  host: Host;
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
  const { host, git, commit, tree = commit, signal } = where;
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
      (one) => host.run(asking, { signal: one }),
      (one) => host.run(listing, { signal: one }),
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
const patience = 10_000;
/** Fields of `.git_archival.txt`, as setuptools-scm, and hatch-vcs with it, read them where there is no repository. */
const fields = [
  "node: %H",
  "node-date: %cI",
  "describe-name: %(describe:tags=true,match=*[0-9]*)",
].join("%n");

/** What git says of a commit whose packages may have their version from its tags; empty where it cannot say it soon. */
export async function describeCommit({ host, git, commit, signal }: Where): Promise<string> {
  const asking = gitCommand(git, ["log", "-1", "--no-color", `--format=${fields}`, commit]);
  try {
    return await host.run({ ...asking, deadline: patience }, { signal });
  } catch (error) {
    if (error instanceof CommandFailed) return "";
    throw error;
  }
}

/** Whether the names stand for all that is reached: a link, a submodule or a page leads on to other things. */
function isSure(named: string, listed: string, reads: Coverage["reads"]): boolean {
  const entries = listed.split("\0").filter(Boolean);
  if (entries.some((entry) => /^1[26]0000 |\.html?$/i.test(entry))) return false;
  const folders = reads.filter(({ as }) => as === "folder").map(({ path }) => normal(path));
  const reached = new Set(folders);
  const known = new Set(
    entries
      .filter((entry) => reached.has(entry.slice(entry.indexOf("\t") + 1)))
      .map((entry) => /^040000 tree ([0-9a-f]{40})\t/.exec(entry)?.[1]),
  );
  const replies = named.split("\n").map((reply) => /^([0-9a-f]{40}) tree /.exec(reply)?.[1]);
  return replies.every((id) => id === undefined || known.has(id));
}

function normal(path: string): string {
  return posix.normalize(path).replace(/\/$/, "");
}
