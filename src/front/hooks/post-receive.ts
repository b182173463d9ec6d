import { asUserError, describeError } from "../../errors.ts";
import { absentCommit, branchOf, isBranchRef, quoted, quotedBranch } from "../../names/names.ts";
import { printable } from "../../system/lines.ts";
import { findProcess } from "../../system/processes.ts";
import { deployLine } from "../push/commits.ts";
import { confirm } from "../push/confirm.ts";
import { policyOf, type HookRequest, type HookWorld } from "../push/hook-world.ts";
import type { RefUpdate, Verdict } from "../push/policy.ts";
import type { Running } from "../push/pushers.ts";
import { recordPush } from "./record.ts";

type Say = (line: string) => void;

/** git has moved the refs: what of them is on the air, and what the pusher may have expected besides. */
export async function sayLive(
  world: HookWorld,
  request: HookRequest,
  updates: RefUpdate[],
  say: Say,
): Promise<void> {
  // The refs have moved, whatever became of the front meanwhile.
  const pusher = world.pushers.find(request.pid, request.app);
  if (pusher) {
    pusher.isDone = true;
    recordPush(world, pusher, updates);
  }
  const holder = pusher?.holder ?? (await findProcess(request.pid));
  if (!holder) return;
  const branches = updates.filter((update) => isBranchRef(update.ref));
  for (const { ref, newCommit } of branches) {
    const isGone = newCommit === absentCommit;
    await confirm(world.agent, { holder: { turn: 0, ...holder }, ref }, { isGone, say }).catch(
      (error: unknown) => {
        for (const line of describeError(asUserError(error))) say(line);
      },
    );
  }
  if (pusher && updates.length > 0) await sayWhatIsMissing(world, pusher, updates, say);
}

/** Who pushes an app for the first time may not know which branch is the one for it, or that a tag is none. */
async function sayWhatIsMissing(
  world: HookWorld,
  pusher: Running,
  updates: RefUpdate[],
  say: Say,
): Promise<void> {
  const { app, judged } = pusher;
  const { productionBranch } = await policyOf(world, pusher);
  const isAbout = (verdict: Verdict): boolean =>
    updates.some(({ ref }) => judged.get(ref) === verdict);
  if (!isAbout("deploy")) {
    if (!isAbout("remove"))
      await sayNothingDeployed(world, { app, productionBranch }, updates, say);
    return;
  }
  const { ref } = updates.find((update) => judged.get(update.ref) === "deploy") ?? { ref: "" };
  if (updates.some((update) => branchOf(update.ref) === productionBranch)) return;
  const { state } = await world.agent.ask("show", { app });
  if (state !== null) return;
  say(
    printable(
      `reeve: ${app} itself is not on the air yet: git push deploy ${quotedBranch(branchOf(ref))}:${productionBranch}`,
    ),
  );
}

async function sayNothingDeployed(
  { system, gitOf }: HookWorld,
  { app, productionBranch }: { app: string; productionBranch: string },
  updates: RefUpdate[],
  say: Say,
): Promise<void> {
  const ref = `refs/heads/${productionBranch}`;
  const pushed = updates.filter(({ newCommit }) => newCommit !== absentCommit);
  const [only] = pushed;
  if (!only) return;
  const why = pushed.some((update) => isBranchRef(update.ref)) ? "" : ": tags are only kept";
  const line =
    pushed.length > 1
      ? `git push deploy ${quoted(`HEAD:${ref}`)}`
      : await deployLine(system, gitOf(app), { id: only.newCommit, ref });
  say(
    printable(
      line === undefined
        ? `reeve: nothing was deployed${why}, and ${productionBranch} has this commit already`
        : `reeve: nothing was deployed${why}. To put a commit on the air: ${line}`,
    ),
  );
}
