import { chmod, lstat } from "node:fs/promises";
import { isPreviewName } from "../../names/names.ts";
import { workshopsOf } from "../environment/workshop.ts";
import { isPresent } from "../../system/files.ts";
import type { Identity } from "../../system/system.ts";
import { removeTrees, walk, type Errand } from "../../system/walker.ts";
import { provideLog } from "../vassal/app-log.ts";
import { pathsOf, userOf, userOfApp, type DeployContext } from "../world/context.ts";

/**
 * Gives what an instance has on disk to its own system user, where it belongs to another one: to the user that
 * all apps once shared, or to a number that another machine did not have free. Resolves to whether it had to.
 * The folder of its data is changed last, so that a stop in between is made good by doing it again.
 */
export async function chownInstance(context: DeployContext, instance: string): Promise<boolean> {
  const { system } = context;
  if (!system.isRoot) return false;
  const paths = pathsOf(context, instance);
  const appUser = userOf(context, instance);
  const owner = (await lstat(paths.data).catch(() => undefined))?.uid;
  if (owner === undefined || owner === appUser.uid) return false;

  const previews = isPreviewName(instance) ? appUser : userOfApp(context, instance, true);
  const sealed = [
    await sealOf(paths.releases, appUser),
    await sealOf(paths.environments, appUser),
    await sealOf(paths.variables, appUser),
    await sealOf(paths.previewVariables, previews),
  ];
  // What these hold is made anew by the next deploy that wants it.
  await removeTrees(system, paths.staging, workshopsOf(paths.environments));
  await system.run(walk(sealed.flat()));
  if (await isPresent(paths.requirements)) await chmod(paths.requirements, 0o640);
  if (await isPresent(paths.log)) await provideLog(paths.log, appUser, true);
  // A file with a second name may be another app's as well, from the time of the shared user: it stays whose it was.
  await system.run(walk([{ do: "give", path: paths.data, owner: appUser }]));
  return true;
}

/** Of what the folder's former group may read, which the folder has to its end; others' files may be linked in it. */
async function sealOf(path: string, { gid }: Identity): Promise<Errand[]> {
  const group = (await lstat(path).catch(() => undefined))?.gid;
  if (group === undefined || group === gid) return [];
  return [{ do: "give", path, owner: { uid: 0, gid }, group, live: true }];
}
