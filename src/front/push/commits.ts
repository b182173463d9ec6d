import { absentCommit, branchOf, quoted } from "../../names/names.ts";
import { UserError } from "../../errors.ts";
import {
  currentCommit,
  gitCommand,
  listRefs,
  objectType,
  type GitContext,
} from "../../system/git.ts";
import { CommandFailed, type System } from "../../system/system.ts";
import type { RefUpdate } from "./policy.ts";

const mostNamed = 5;

/**
 * Refuses a branch that would lead to a tag, a folder or a file. git refuses that as well, but only when all is built
 * and it is about to move the branch.
 */
export async function expectCommit(
  system: System,
  git: GitContext,
  { ref, oldCommit, newCommit }: RefUpdate,
): Promise<void> {
  const type = await objectType(system, git, newCommit);
  if (type === "commit") return;
  const commit = type === "tag" ? await commitOf(system, git, newCommit) : undefined;
  throw new UserError(
    "REF_REFUSED",
    `${branchOf(ref)} would lead to a ${type}, and a branch leads to a commit`,
    {
      hint: commit
        ? `Push the commit that the tag stands for: ${await pushLine(system, git, { ref, oldCommit, newCommit: commit })}`
        : `Push a commit: git push deploy ${quoted(`HEAD:${ref}`)}`,
    },
  );
}

/**
 * Refuses a new branch whose name is a folder of another's, or the other way round: git keeps one of the two. It finds
 * that as well, but only when all is built.
 */
export async function expectName(
  system: System,
  git: GitContext,
  { ref, newCommit }: RefUpdate,
): Promise<void> {
  const branch = branchOf(ref);
  const [top = ""] = branch.split("/");
  const near = await listRefs(system, git, ["--format=%(refname)", `refs/heads/${top}`]);
  const others = near.filter((name) => ref.startsWith(`${name}/`) || name.startsWith(`${ref}/`));
  const [other] = others;
  if (other === undefined) return;
  const flat = `refs/heads/${branch.replaceAll("/", "-")}`;
  const removals = others.slice(0, mostNamed).map((name) => quoted(`:${name}`));
  throw new UserError(
    "BRANCH_REFUSED",
    `${branch} cannot be a branch beside ${branchOf(other)}: to git one of the names is a folder of the other`,
    {
      hint:
        flat === ref
          ? `Remove what is below it, and push again: git push deploy ${removals.join(" ")}`
          : `Give it another name: git push deploy ${quoted(`${newCommit}:${flat}`)}`,
    },
  );
}

/** What puts on the air, by this branch, what a tag or a commit stands for; undefined where it is there already. */
export async function deployLine(
  system: System,
  git: GitContext,
  { id, ref }: { id: string; ref: string },
): Promise<string | undefined> {
  const newCommit = await commitOf(system, git, id);
  const oldCommit = await currentCommit(system, git, ref);
  if (newCommit === oldCommit) return undefined;
  return newCommit === undefined
    ? `git push deploy ${quoted(`HEAD:${ref}`)}`
    : pushLine(system, git, { ref, oldCommit, newCommit });
}

/** By its id, which whoever has pushed it has as well. Back in the history, or aside, a branch moves by force only. */
async function pushLine(
  system: System,
  git: GitContext,
  { ref, oldCommit, newCommit }: RefUpdate,
): Promise<string> {
  const words = ["merge-base", "--is-ancestor", oldCommit, newCommit];
  const isForward =
    oldCommit === absentCommit || (await answerOf(system, git, words)) !== undefined;
  return `git push deploy ${quoted(`${isForward ? "" : "+"}${newCommit}:${ref}`)}`;
}

/** What a tag, or a tag of a tag, stands for; undefined where that is no commit. */
function commitOf(system: System, git: GitContext, id: string): Promise<string | undefined> {
  return answerOf(system, git, ["rev-parse", "--verify", "--quiet", `${id}^{commit}`]);
}

async function answerOf(
  system: System,
  git: GitContext,
  words: string[],
): Promise<string | undefined> {
  try {
    return (await system.run(gitCommand(git, words))).trim();
  } catch (error) {
    if (error instanceof CommandFailed) return undefined;
    throw error;
  }
}
