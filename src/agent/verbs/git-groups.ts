import { UserError } from "../../errors.ts";
import { mebibyte } from "../../config/server-options.ts";
import type { GroupName } from "../../system/control-groups.ts";
import { isAlive, ownerOf, type ProcessId } from "../../system/processes.ts";
import type { DeployContext } from "../world/context.ts";

/**
 * Puts a git that the front works with into a group of its own, with all that it will start: what they have in
 * memory together is limited. The front could not do it: who moves a process has to own the groups on both sides.
 */
export async function confineGit(
  { config, identities, groups }: DeployContext,
  process: ProcessId,
): Promise<void> {
  if (!groups.means.memory) return;
  const [owner, isThere] = await Promise.all([ownerOf(process.pid), isAlive(process)]);
  if (owner !== identities.front.uid || !isThere)
    throw new UserError("PUSH_GONE", `no process ${process.pid} is the front's any more`);
  const name: GroupName = `git/${process.pid}-${process.startTime}`;
  await groups.provide(name, { memory: config.server.git_memory * mebibyte });
  await groups.add(name, process.pid);
}

/** Removes the groups whose git is gone, and ends what it has left in them. */
export async function sweepGitGroups({ groups }: DeployContext): Promise<void> {
  for (const name of await groups.list("git")) {
    const [pid = NaN, startTime = NaN] = name.split("-").map(Number);
    if (!(await isAlive({ pid, startTime }))) await groups.end(`git/${name}`);
  }
}
