import { join } from "node:path";
import { optionsFile, submodulesPath } from "../../names/instance.ts";
import { removeFile } from "../../system/files.ts";
import { removeTrees } from "../../system/walker.ts";
import type { Holder } from "../../names/deploy.ts";
import type { Preview } from "../store/previews.ts";
import type { DeployContext } from "../world/context.ts";
import { lockFor } from "./locks.ts";
import { removeInstance } from "./remove.ts";
import { removeAppUsers } from "../instance/app-users.ts";

/** Waits for all that is under way with an app and its previews. What is done to it then is done by this holder alone. */
export async function holdApp(
  context: DeployContext,
  app: string,
  waiting: Parameters<typeof lockFor>[2],
): Promise<void> {
  await lockFor(context, app, waiting);
  for (const { instance } of previewsOf(context, app)) await lockFor(context, instance, waiting);
}

/**
 * Takes an app off the air and removes everything that it left, but for the repository, which is the front's.
 * It is on record from the start that this was wanted: after a crash it is brought to its end.
 */
export async function destroyApp(
  context: DeployContext,
  app: string,
  holder: Holder,
): Promise<void> {
  const { layout } = context.config;
  await context.locks.take(app, holder, () => undefined);
  try {
    context.store.apps.markDestroyed(app);
    for (const { instance: name } of previewsOf(context, app)) {
      await context.locks.take(name, holder, () => undefined);
      await removeInstance(context, { name, app });
    }
    await removeInstance(context, { name: app, app });
    await removeFile(optionsFile(layout, app));
    await removeTrees(context.system, join(layout.deployLogs, app), submodulesPath(layout, app));
    await removeAppUsers(context, app, context.store.deploys.list(app, 1).length > 0);
    context.store.apps.delete(app);
  } finally {
    context.locks.release(holder);
  }
}

function previewsOf({ store }: DeployContext, app: string): Preview[] {
  return store.previews.all().filter((preview) => preview.app === app);
}
