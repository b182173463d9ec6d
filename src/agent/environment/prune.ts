import { environmentPath } from "../../names/instance.ts";
import { ownIdentity } from "../../system/identity.ts";
import type { Turns } from "../../system/turns.ts";
import {
  isComplete,
  listEnvironments,
  removeEnvironment,
  type EnvironmentContext,
} from "./environment.ts";
import { scratchOf, workshopOf } from "./workshop.ts";

/**
 * Removes every environment that is not kept, and what an interrupted build left. `turns` are those of the
 * builds, by the environment's path: what is being built stays.
 */
export async function pruneEnvironments(
  context: Pick<EnvironmentContext, "system" | "paths"> & { turns: Turns },
  kept: ReadonlySet<string>,
): Promise<string[]> {
  const { system, paths, turns } = context;
  const removed: string[] = [];
  for (const hash of await listEnvironments(paths)) {
    const path = environmentPath(paths, hash);
    if (turns.isTaken(path)) continue;
    await turns.run(path, async () => {
      if (kept.has(hash) && (await isComplete(path))) return;
      const scratch = system.isRoot ? [] : [scratchOf(workshopOf(paths, ownIdentity()), hash)];
      await removeEnvironment(context, hash, ...scratch);
      removed.push(hash);
    });
  }
  return removed;
}
