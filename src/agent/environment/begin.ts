import { mkdir, rename, rmdir } from "node:fs/promises";
import { join } from "node:path";
import { environmentPath } from "../../names/instance.ts";
import type { System } from "../../system/system.ts";
import { removeTrees, walk, type Errand } from "../../system/walker.ts";
import {
  isComplete,
  type Basis,
  type Beginning,
  type EnvironmentContext,
  type EnvironmentRequest,
} from "./environment.ts";
import { layOutAside } from "./workshop.ts";

/** The environment's folder: empty, or with all of the basis. Resolves to the basis, if it was there to the end. */
export async function beginWith(
  context: EnvironmentContext,
  { basis, beginning, path, files }: EnvironmentRequest & { path: string },
): Promise<Basis | undefined> {
  if (basis && files.length > 0) {
    const isThere =
      (await moveBeginning(context, beginning, basis.hash, path)) ||
      (await linkBasis(context, basis.hash, path));
    if (isThere) return basis;
    await removeTrees(context.system, path);
  }
  await mkdir(path, { mode: 0o700 });
  return undefined;
}

async function moveBeginning(
  { builder }: EnvironmentContext,
  beginning: Beginning | undefined,
  basis: string,
  path: string,
): Promise<boolean> {
  if (beginning?.basis !== basis || beginning.builder.uid !== builder.user.uid) return false;
  return rename(join(beginning.folder, basis), path).then(
    () => true,
    () => false,
  );
}

/**
 * All of the basis by hard links. Its files are root's, whom nobody can write to by a second name either; its folders
 * are the builder's. Resolves to whether the basis was there to the end.
 */
async function linkBasis(
  { paths, system, builder }: Pick<EnvironmentContext, "system" | "paths" | "builder">,
  basis: string,
  to: string,
): Promise<boolean> {
  const path = environmentPath(paths, basis);
  if (!(await isComplete(path))) return false;
  const owner = system.isRoot ? builder.user : undefined;
  const copy: Errand = { do: "copy", path, to, by: "links", owner, add: 0o200, top: 0o700 };
  return system.run(walk([copy])).then(
    () => isComplete(path),
    () => false,
  );
}

/** Lays out the links of a basis while nobody knows yet what else is wanted; undefined where that cannot be. */
export async function beginEarly(
  context: Pick<EnvironmentContext, "system" | "paths" | "builder">,
  basis: string,
  name: string,
): Promise<Beginning | undefined> {
  const { system, paths, builder } = context;
  const folder = await layOutAside(context, paths.environments, name);
  const beginning = { basis, builder: builder.user, folder };
  if (await linkBasis(context, basis, join(folder, basis))) return beginning;
  await clearBeginning(system, beginning);
  return undefined;
}

/** Empty where an environment has begun with it. */
export async function clearBeginning(system: System, { folder }: Beginning): Promise<void> {
  await rmdir(folder).catch(() => removeTrees(system, folder));
}
