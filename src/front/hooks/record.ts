import { UserError } from "../../errors.ts";
import { absentCommit } from "../../names/names.ts";
import { currentCommit } from "../../system/git.ts";
import type { HookWorld } from "../push/hook-world.ts";
import type { RefUpdate } from "../push/policy.ts";
import type { Running } from "../push/pushers.ts";

/** What became of these refs: they have moved, or were refused. */
export function recordPush(
  world: HookWorld,
  pusher: Running,
  updates: RefUpdate[],
  refusal?: UserError,
): void {
  for (const update of updates) {
    const { action } = pusher.actions.get(update.ref) ?? {};
    pusher.actions.delete(update.ref);
    if (action) world.recordPush(pusher, action, { update, ...(refusal && { refusal }) });
  }
}

/**
 * git has ended and said nothing of some refs: it did not move them, as a branch that it was to delete and that was not
 * there, or was killed before it could say that it did.
 */
export async function recordUntold(
  { system, gitOf, recordPush }: Pick<HookWorld, "system" | "gitOf" | "recordPush">,
  pusher: Running,
): Promise<void> {
  const { app, actions, moving } = pusher;
  for (const { action, update } of actions.values()) {
    const { ref, newCommit } = update;
    // That a ref is not there tells nothing where git has not come to it.
    const mayHaveMoved = newCommit !== absentCommit || moving.has(ref);
    const now = mayHaveMoved && (await currentCommit(system, gitOf(app), ref));
    const refusal = new UserError("REF_MOVED", `git did not move ${ref}`);
    recordPush(pusher, action, { update, ...(now !== newCommit && { refusal }) });
  }
}
