import { absentCommit, branchOf, isBranchRef } from "../../names/names.ts";
import type { BranchPolicy } from "../../protocol/agent-verbs.ts";
import { withQuarantine } from "../../system/git.ts";
import { printable } from "../../system/lines.ts";
import { expectCommit, expectName } from "../push/commits.ts";
import { expectStillAllowed, prepare } from "../push/deploys.ts";
import { expectPusher, policyOf, type HookRequest, type HookWorld } from "../push/hook-world.ts";
import { judgeRef, refAction, type RefUpdate } from "../push/policy.ts";
import type { Running } from "../push/pushers.ts";

interface Push {
  pusher: Running;
  policy: BranchPolicy;
  quarantine: string | undefined;
}

/** Judges each ref, and has the agent build and prove what is to be on the air. */
export async function deployRefs(
  world: HookWorld,
  request: HookRequest,
  updates: RefUpdate[],
  say: (line: string) => void,
): Promise<void> {
  const pusher = expectPusher(world, request);
  const { quarantine } = request;
  const policy = await policyOf(world, pusher);
  for (const update of updates) await deployRef(world, { pusher, policy, quarantine }, update, say);
}

async function deployRef(
  world: HookWorld,
  push: Push,
  update: RefUpdate,
  say: (line: string) => void,
): Promise<void> {
  const { pusher, policy, quarantine } = push;
  const { app, holder, tags } = pusher;
  const { account } = pusher.caller;
  const { ref, oldCommit } = update;
  const action = refAction(policy.productionBranch, ref);
  pusher.actions.set(ref, { action, update });
  const judge = (): void => world.judgeRight(pusher, action, update);
  judge();
  const verdict = judgeRef(app, policy, update);
  await expectSound(world, push, update);
  pusher.judged.set(ref, verdict);
  if (verdict === "deploy") {
    const preview = branchOf(ref) === policy.productionBranch ? undefined : branchOf(ref);
    const { root } = policy;
    const wanted = { ...update, app, account, holder, reason: "push" as const };
    await prepare(world, { ...wanted, quarantine, tags, judge, preview, root }, say);
  } else if (verdict === "remove") {
    const removal = { app, ref, oldCommit, account, holder };
    await world.agent.ask("prepareRemoval", removal, { onLine: say });
    await expectStillAllowed(world, { holder, ref, judge }, say);
  } else if (isBranchRef(ref)) say(keptLine(app, policy, ref));
}

/** A branch leads to a commit, and git can tell it from others by its name. */
async function expectSound(
  { system, gitOf }: HookWorld,
  { pusher: { app }, quarantine }: Push,
  update: RefUpdate,
): Promise<void> {
  if (!isBranchRef(update.ref) || update.newCommit === absentCommit) return;
  if (update.oldCommit === absentCommit) await expectName(system, gitOf(app), update);
  await expectCommit(system, withQuarantine(gitOf(app), quarantine), update);
}

function keptLine(app: string, { previews }: BranchPolicy, ref: string): string {
  const why =
    previews === "off" ? "has no previews" : `has previews of ${JSON.stringify(previews)} only`;
  return printable(
    `reeve: ${branchOf(ref)} is kept, and not on the air: ${app} ${why} (reeve options ${app} set previews=all)`,
  );
}
