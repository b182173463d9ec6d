import { absentCommit } from "../app/names.ts";
import { UserError } from "../errors.ts";

/** One line of a push: a ref, where it was and where it shall be. */
export interface RefUpdate {
  ref: string;
  oldCommit: string;
  newCommit: string;
}

export type Verdict = "deploy" | "store";

/**
 * What becomes of a ref. The production branch is deployed, tags are kept; everything else is refused in
 * words that hold the command which would have worked.
 */
export function judgeRef(app: string, productionBranch: string, update: RefUpdate): Verdict {
  const { ref, newCommit } = update;
  if (ref.startsWith("refs/tags/")) return "store";
  if (!ref.startsWith("refs/heads/")) {
    throw new UserError("REF_REFUSED", `${ref} is neither a branch nor a tag`);
  }
  const branch = ref.slice("refs/heads/".length);
  if (branch !== productionBranch) {
    throw new UserError(
      "BRANCH_REFUSED",
      `${app} puts the branch ${productionBranch} on the air, not ${branch}`,
      {
        hint: `Previews of branches are not on yet. To put this branch on the air: git push deploy ${quoted(branch)}:${productionBranch}`,
      },
    );
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

/** A branch's name as git and a shell take it; its full name where git would read something else. */
function quoted(branch: string): string {
  const isTaken = /^(-|refs\/|HEAD$|[0-9a-f]{40}$)/.test(branch);
  const source = isTaken ? `refs/heads/${branch}` : branch;
  return /^[A-Za-z0-9._/-]+$/.test(source) ? source : `'${source.replaceAll("'", "'\\''")}'`;
}

const line = /^([0-9a-f]{40}) ([0-9a-f]{40}) (refs\/\S+|HEAD)$/;

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
