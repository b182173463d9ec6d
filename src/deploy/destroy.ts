import { rm } from "node:fs/promises";
import { join } from "node:path";
import { optionsFile, submodulesPath } from "../app/instance.ts";
import { removeTrees } from "../host/walker.ts";
import type { Holder } from "../store/agent-store.ts";
import type { DeployContext } from "./context.ts";
import { removeInstance } from "./remove.ts";
import { removeRunners } from "./runners.ts";

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
    context.store.markDestroyed(app);
    const previews = context.store.previews().filter((preview) => preview.app === app);
    for (const { instance: name } of previews) {
      await context.locks.take(name, holder, () => undefined);
      await removeInstance(context, { name, app });
    }
    await removeInstance(context, { name: app, app });
    await rm(optionsFile(layout, app), { force: true });
    await removeTrees(context.host, join(layout.deployLogs, app), submodulesPath(layout, app));
    await removeRunners(context, app, context.store.deploys(app, 1).length > 0);
    context.store.deleteApp(app);
  } finally {
    context.locks.release(holder);
  }
}
