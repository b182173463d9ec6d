import { join } from "node:path";
import { readIfPresent } from "../system/files.ts";
import type { GitContext } from "../system/git.ts";

/** What stands in git for a commit's whole tree, that of its submodules included, and a git that finds it. */
export async function wholeTree(
  git: GitContext,
  folder: string,
  commit: string,
): Promise<{ git: GitContext; tree: string }> {
  const path = join(folder, "whole", commit);
  const tree = await readIfPresent(join(path, "tree"));
  if (tree === undefined) return { git, tree: commit };
  return { git: { ...git, borrows: [...(git.borrows ?? []), join(path, "objects")] }, tree };
}
