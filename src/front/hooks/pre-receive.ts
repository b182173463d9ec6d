import { absentCommit, isTagRef } from "../../names/names.ts";
import { isChild, withQuarantine, type GitContext } from "../../system/git.ts";
import { expectPusher, type HookRequest, type HookWorld } from "../push/hook-world.ts";
import { expectFewRefs, type RefUpdate } from "../push/policy.ts";
import type { Running } from "../push/pushers.ts";
import { expectReadable, noteUnclaimed } from "../push/readable.ts";
import { deployRefs } from "./update.ts";

/**
 * git has what was pushed aside still, and drops it at a no. So one ref is built and proven here; of several, each is
 * in `update`, where a no to one of them is none to the others.
 */
export async function judgePush(
  world: HookWorld,
  request: HookRequest,
  updates: RefUpdate[],
  say: (line: string) => void,
): Promise<void> {
  expectFewRefs(updates);
  const pusher = expectPusher(world, request);
  const { quarantine } = request;
  await judgeObjects(world, pusher, quarantine, updates);
  pusher.tags = updates.filter(({ ref }) => isTagRef(ref));
  if (updates.length === 1) await deployRefs(world, request, updates, say);
  const git = withQuarantine(world.gitOf(pusher.app), quarantine);
  if (await mayLeave(git, updates)) await noteUnclaimed(git.repository);
  pusher.isTaken = true;
}

async function judgeObjects(
  { system, gitOf, readableTo }: HookWorld,
  pusher: Running,
  quarantine: string | undefined,
  updates: RefUpdate[],
): Promise<void> {
  if (updates.every(({ newCommit }) => newCommit === absentCommit)) return;
  if (quarantine === undefined) throw new Error("git says not where it keeps what was pushed");
  const { app, caller } = pusher;
  const readable = readableTo(pusher);
  const { account } = caller;
  await expectReadable({ system, git: gitOf(app), quarantine, account, readable });
}

/** Whether something may belong to no ref when git is done: what a ref had, or what is still to be refused. */
async function mayLeave(git: GitContext, updates: RefUpdate[]): Promise<boolean> {
  const [only] = updates;
  if (!only || updates.length > 1) return true;
  const { oldCommit, newCommit } = only;
  return oldCommit !== absentCommit && !(await isChild(git, newCommit, oldCommit));
}
