import { chmod, lstat } from "node:fs/promises";
import { isPreviewName } from "../app/names.ts";
import { workshopsOf } from "../environment/workshop.ts";
import { isPresent } from "../host/files.ts";
import type { Identity } from "../host/host.ts";
import { removeTrees, walk, type Errand } from "../host/walker.ts";
import { provideLog } from "../vassal/app-log.ts";
import { pathsOf, runnerOf, runnerOfApp, type DeployContext } from "./context.ts";

/**
 * Gives what an instance has on disk to its own system user, where it belongs to another one: to the user that
 * all apps once shared, or to a number that another machine did not have free. Resolves to whether it had to.
 * The folder of its data is changed last, so that a stop in between is made good by doing it again.
 */
export async function handOver(context: DeployContext, instance: string): Promise<boolean> {
  const { host } = context;
  if (!host.isRoot) return false;
  const paths = pathsOf(context, instance);
  const runner = runnerOf(context, instance);
  const owner = (await lstat(paths.data).catch(() => undefined))?.uid;
  if (owner === undefined || owner === runner.uid) return false;

  const previews = isPreviewName(instance) ? runner : runnerOfApp(context, instance, true);
  const sealed = [
    await sealOf(paths.releases, runner),
    await sealOf(paths.environments, runner),
    await sealOf(paths.settings, runner),
    await sealOf(paths.previewSettings, previews),
  ];
  // What these hold is made anew by the next deploy that wants it.
  await removeTrees(host, paths.staging, workshopsOf(paths.environments));
  await host.run(walk(sealed.flat()));
  if (await isPresent(paths.requirements)) await chmod(paths.requirements, 0o640);
  if (await isPresent(paths.log)) await provideLog(paths.log, runner, true);
  // A file with a second name may be another app's as well, from the time of the shared user: it stays whose it was.
  await host.run(walk([{ do: "give", path: paths.data, owner: runner }]));
  return true;
}

/** Of what the folder's former group may read, which the folder has to its end; others' files may be linked in it. */
async function sealOf(path: string, { gid }: Identity): Promise<Errand[]> {
  const group = (await lstat(path).catch(() => undefined))?.gid;
  if (group === undefined || group === gid) return [];
  return [{ do: "give", path, owner: { uid: 0, gid }, group, live: true }];
}
