import { rm } from "node:fs/promises";
import { join } from "node:path";
import { optionsFile } from "../app/instance.ts";
import { isPresent } from "../host/files.ts";
import { removeTree } from "../release/release-commands.ts";
import type { Holder } from "../store/agent-store.ts";
import { dropHeldIni, retireVassal } from "../vassal/vassal.ts";
import { removeVhost } from "../vhost/vhost.ts";
import { pathsOf, type DeployContext } from "./context.ts";
import { findUnderstudies } from "./understudy.ts";

/** Milliseconds that requests of an app which is being removed have to finish. */
const grace = 2000;

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
    const paths = pathsOf(context, app);
    context.settler.supersede(app);
    await context.settler.idle(app);

    const site = { available: paths.site, enabled: paths.siteLink };
    await removeVhost(context.host, context.nginx, site);
    const understudies = await findUnderstudies(context, app);
    for (const ini of [paths.ini, ...understudies.map((understudy) => understudy.ini)]) {
      if (await isPresent(ini)) await retireVassal(context.emperor, ini, grace);
    }
    await dropHeldIni(paths.ini);
    const files = [paths.socket, paths.link, paths.log, optionsFile(layout, app)];
    for (const path of [...files, ...understudies.flatMap(({ socket, log }) => [socket, log])]) {
      await rm(path, { force: true });
    }
    await rm(paths.own, { recursive: true, force: true });
    await rm(join(layout.deployLogs, app), { recursive: true, force: true });
    for (const command of removeTree(paths.folder, context.host.isRoot))
      await context.host.run(command);
    context.store.deleteApp(app);
  } finally {
    context.locks.release(holder);
  }
}
