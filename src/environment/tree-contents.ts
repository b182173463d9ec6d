import { gitCommand, type GitContext } from "../host/git.ts";
import { CommandFailed, type Host } from "../host/host.ts";
import { together } from "../host/together.ts";
import type { Coverage } from "./coverage.ts";

/** Bytes of names; a tree with more of them counts as a whole. */
const longestListing = 4 * 1024 * 1024;

interface Where {
  host: Host;
  git: GitContext;
  commit: string;
  signal?: AbortSignal | undefined;
}

/**
 * git's own names for the contents of all that these requirements reach in a commit's tree, and the commit itself
 * where that may be anything in it: what a package's own build reads, nobody can tell.
 */
export async function contentsOf(where: Where, coverage: Coverage): Promise<string | undefined> {
  const { local, reads, whole } = coverage;
  if (whole || local.length > 0 || reads.some(({ path }) => path === ".")) return where.commit;
  if (reads.length === 0) return undefined;
  const { host, git, commit, signal } = where;
  const paths = reads.map(({ path }) => path);
  const input = paths.map((path) => `${commit}:${path}\n`).join("");
  const asking = gitCommand(git, ["cat-file", "--batch-check", "--follow-symlinks"], { input });
  const listing = gitCommand(git, ["ls-tree", "-r", "-z", "--full-tree", commit, "--", ...paths], {
    longestOutput: longestListing,
  });
  try {
    const [named, listed] = await together(
      (one) => host.run(asking, { signal: one }),
      (one) => host.run(listing, { signal: one }),
      signal,
    );
    // Where nothing is, git names the commit as well.
    return isSure(named, listed, reads) ? named.replaceAll(`${commit}:`, "") : commit;
  } catch (error) {
    if (error instanceof CommandFailed && error.tooLong) return commit;
    throw error;
  }
}

/** Whether the names stand for all that is reached: a link, a submodule or a page leads on to other things. */
function isSure(named: string, listed: string, reads: Coverage["reads"]): boolean {
  const entries = listed.split("\0").filter(Boolean);
  if (entries.some((entry) => /^1[26]0000 |\.html?$/i.test(entry))) return false;
  const replies = named.split("\n").filter((reply) => /^[0-9a-f]{40} /.test(reply));
  const folders = replies.filter((reply) => reply.split(" ")[1] === "tree");
  if (folders.length === 0) return true;
  const isListed = (path: string): boolean =>
    entries.some((entry) => entry.slice(entry.indexOf("\t") + 1).startsWith(`${path}/`));
  return (
    reads.filter(({ as, path }) => as === "folder" && isListed(path)).length === folders.length
  );
}
