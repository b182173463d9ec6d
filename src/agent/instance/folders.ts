import { chmod, chown, mkdir } from "node:fs/promises";
import { isPresent } from "../../system/files.ts";
import { writeVariables } from "../variables/variables.ts";
import { pathsOf, userOf, type DeployContext } from "../world/context.ts";

/** Makes an instance's folders, with their owners, or leaves those that are there. */
export async function provideFolders(context: DeployContext, instance: string): Promise<void> {
  const paths = pathsOf(context, instance);
  const appUser = userOf(context, instance);
  const root = { uid: 0, gid: 0 };
  const group = { uid: 0, gid: appUser.gid };
  const folders: [path: string, mode: number, owner: { uid: number; gid: number }][] = [
    // Others pass through, to what is theirs in there, and cannot look around.
    [paths.folder, 0o751, root],
    [paths.own, 0o751, root],
    [paths.releases, 0o750, group],
    // So do builders.
    [paths.environments, 0o751, group],
    [paths.data, 0o750, appUser],
  ];
  for (const [path, mode, { uid, gid }] of folders) {
    await mkdir(path, { recursive: true });
    if (context.system.isRoot) await chown(path, uid, gid);
    await chmod(path, mode);
  }
  if (!(await isPresent(paths.variables)))
    await writeVariables(context.system, paths.variables, new Map(), appUser);
}
