import { repositoryPath } from "../../names/instance.ts";
import { isPresent } from "../../system/files.ts";
import { listLocks } from "../../system/git.ts";
import { workingFolders } from "../../system/processes.ts";
import { walk, type Errand } from "../../system/walker.ts";
import type { DeployContext } from "../world/context.ts";

/** Removes the locks of gits that died with the agent before this one, and not of those that carry a push just now, or begin to. */
export async function removeLeftLocks({
  store,
  system,
  identities,
  config,
}: DeployContext): Promise<void> {
  const repositories: string[] = [];
  for (const path of store.apps.names().map((app) => repositoryPath(config.layout, app)))
    if (await isPresent(path)) repositories.push(path);
  if (repositories.length === 0) return;

  const locks = (await system.run(listLocks(repositories, identities.front))).split("\0");
  const busy = await workingFolders();
  const idle = repositories.filter((path) => !busy.has(path));
  const left = locks.filter((lock) => idle.some((path) => lock.startsWith(`${path}/`)));
  const removals = left.map((path): Errand => ({ do: "remove", path }));
  if (left.length > 0) await system.run(walk(removals, identities.front));
}
