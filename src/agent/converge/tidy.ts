import { layOutStaging } from "../release/release.ts";
import { mendVariables } from "../variables/variables.ts";
import { pathsOf, releaseContext, type DeployContext } from "../world/context.ts";
import { prune } from "./prune.ts";

/**
 * Removes what an instance needs no longer, and lays out the staging tree for the next checkout. Resolves to what
 * was removed, in words.
 */
export async function tidy(context: DeployContext, instance: string): Promise<string[]> {
  // A deploy that has the lock may be using what would be removed; its own settling tidies, where it comes to that.
  if (context.locks.isHeld(instance)) {
    context.background.leaveUntidy(instance);
    return [];
  }
  return tidyNow(context, instance);
}

/** Before a deploy that has the lock looks for what is on disk: what kept it from being tidied is over. */
export async function tidiedFor(context: DeployContext, instance: string): Promise<void> {
  await context.background.tidied(instance);
  if (!context.background.isUntidy(instance)) return;
  await tidyNow(context, instance).catch((error: unknown) => {
    context.log.error({ err: error, instance }, "could not tidy up");
  });
}

function tidyNow(context: DeployContext, instance: string): Promise<string[]> {
  const row = context.store.instances.get(instance);
  return context.background.tidy(instance, async () => {
    if (!row) return [];
    await mendVariables(context.system, pathsOf(context, instance).variables);
    const removed = await prune(context, row);
    await layOutStaging(releaseContext(context, row));
    return removed;
  });
}
