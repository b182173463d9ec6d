import { absentCommit, branchOf, isBranchRef } from "../../names/names.ts";
import { UserError } from "../../errors.ts";
import { isPreviewed } from "../../config/preview-pattern.ts";
import type { BranchPolicy } from "../../protocol/agent-verbs.ts";

/** One line of a push: a ref, where it was and where it shall be. */
export interface RefUpdate {
  ref: string;
  oldCommit: string;
  newCommit: string;
}

export type Verdict = "deploy" | "remove" | "store";

const longestBranch = 400;
/** Branches that one push may move: each is a deploy. */
const mostBranches = 100;
/** All refs of one push; a tag costs next to nothing. hooks/pre-receive reads no more. */
const mostRefs = 1000;

/**
 * What becomes of a ref. The production branch is deployed, other branches are previews where the app has
 * them, and go with their branch; what else there is of branches and tags is kept, and any other ref refused.
 */
export function judgeRef(app: string, policy: BranchPolicy, update: RefUpdate): Verdict {
  const { ref, newCommit } = update;
  if (ref.startsWith("refs/tags/")) return "store";
  if (!isBranchRef(ref)) {
    throw new UserError(
      "REF_REFUSED",
      `${ref} is neither a branch nor a tag`,
      // What a clone remembers of the branches elsewhere.
      ref.startsWith("refs/remotes/")
        ? { hint: "In place of --mirror: git push deploy --all && git push deploy --tags" }
        : {},
    );
  }
  const branch = branchOf(ref);
  if (branch !== policy.productionBranch) {
    // Also where previews are off: one may be left from before.
    if (newCommit === absentCommit) return "remove";
    expectReadable(app, policy, branch);
    return isPreviewed(policy.previews, branch) ? "deploy" : "store";
  }
  if (newCommit === absentCommit) {
    throw new UserError(
      "PRODUCTION_DELETE",
      `${branch} is what ${app} has on the air; it cannot be deleted by a push`,
      {
        hint: `An app is removed with everything it left behind by: reeve destroy ${app}`,
      },
    );
  }
  return "deploy";
}

export type RefAction = "pushBranch" | "pushProduction";

/** What moving this ref is, for the rights: whatever is not simply another branch needs as much as production. */
export function refAction(productionBranch: string, ref: string): RefAction {
  const isOther = ref.startsWith("refs/heads/") && ref !== `refs/heads/${productionBranch}`;
  return isOther ? "pushBranch" : "pushProduction";
}

/**
 * What is not UTF-8 has lost its name on the way here: it would be another branch that is looked for. And names stand in
 * files of lines.
 */
function expectReadable(app: string, { productionBranch }: BranchPolicy, branch: string): void {
  const problem = branch.includes("\ufffd")
    ? "is not written in UTF-8"
    : branch.length > longestBranch
      ? `is longer than ${longestBranch} characters`
      : /[\p{Cc}\p{Zl}\p{Zp}]/u.test(branch)
        ? "holds a line break"
        : undefined;
  if (problem === undefined) return;
  throw new UserError("BRANCH_REFUSED", `${branch.slice(0, longestBranch)} ${problem}`, {
    hint: `Give it another name; or, to put it on the air as ${app} itself: git push deploy HEAD:${productionBranch}`,
  });
}

/** Cheap, and about the push as a whole. */
export function expectFewRefs(updates: RefUpdate[]): void {
  const branches = updates.filter(({ ref }) => isBranchRef(ref)).length;
  if (branches > mostBranches)
    throw new UserError(
      "REF_REFUSED",
      `this push moves ${branches} branches, and ${mostBranches} are the most`,
      { hint: "Push the branches one after the other." },
    );
  if (updates.length > mostRefs)
    throw new UserError(
      "REF_REFUSED",
      `this push moves ${updates.length} refs, and ${mostRefs} are the most`,
      {
        hint: "A deploy needs no tags: push without --tags, or some of them at a time: git push deploy 'refs/tags/v1.*'",
      },
    );
}

/** Of white space a ref may hold whatever is not ASCII (git-check-ref-format(1)). */
const line = /^([0-9a-f]{40}) ([0-9a-f]{40}) (refs\/[^ ]+|HEAD)$/;

/** What git gives its hooks. A line of any other form refuses the whole push. */
export function parseRefUpdates(text: string): RefUpdate[] {
  return text
    .split("\n")
    .filter((words) => words !== "")
    .map((words) => {
      const [, oldCommit = "", newCommit = "", ref = ""] = line.exec(words) ?? [];
      if (ref === "")
        throw new UserError(
          "REF_REFUSED",
          `git sent a ref that reeve cannot read: ${words.slice(0, 200)}`,
        );
      return { oldCommit, newCommit, ref };
    });
}
