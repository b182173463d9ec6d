import { absentCommit, isBranchRef } from "../../names/names.ts";
import { expectStillAllowed } from "../push/deploys.ts";
import { expectPusher, type HookRequest, type HookWorld } from "../push/hook-world.ts";
import type { RefUpdate } from "../push/policy.ts";

/**
 * git holds the branch's lock and is about to move it: so does the traffic. A branch without a proven deploy
 * stays, unless nothing of it is on the air. Of several branches one may have been built long ago: all are judged
 * before the first moves.
 */
export async function moveTraffic(
  world: HookWorld,
  request: HookRequest,
  updates: RefUpdate[],
  say: (line: string) => void,
): Promise<void> {
  const pusher = expectPusher(world, request);
  const { app, holder, judged, actions, moving: moves } = pusher;
  const moving = updates.filter((update) => isMove(update) && isBranchRef(update.ref));
  for (const update of moving) {
    const { ref } = update;
    const { action } = actions.get(ref) ?? {};
    const judge = (): void => action && world.judgeRight(pusher, action, update);
    await expectStillAllowed(world, { holder, ref, judge }, say).catch((error: unknown) => {
      // It is written down with the judgement.
      actions.delete(ref);
      throw error;
    });
  }
  for (const { ref, newCommit } of moving) {
    const verdict = judged.get(ref) ?? "deploy";
    const move = (): Promise<unknown> =>
      world.agent.ask("switch", { app, holder, ref, newCommit, verdict });
    await expectStillAllowed(world, { holder, ref, judge: move }, say);
    moves.add(ref);
  }
}

/** git also asks about refs that are in its packed list only to be left there, from nothing to nothing. */
function isMove({ oldCommit, newCommit }: RefUpdate): boolean {
  return oldCommit !== absentCommit || newCommit !== absentCommit;
}
