import { readdir, stat } from "node:fs/promises";
import { relative, sep } from "node:path";
import { environmentPath } from "../../names/instance.ts";
import { isPreviewName, shortCommit } from "../../names/names.ts";
import { listEnvironments } from "../environment/environment.ts";
import { pruneEnvironments } from "../environment/prune.ts";
import { workingFolders } from "../../system/processes.ts";
import { pinReleases } from "../release/release-commands.ts";
import { pruneReleases } from "../release/release.ts";
import type { Deploy } from "../store/deploys.ts";
import type { InstanceRow } from "../store/instances.ts";
import { gitOf, pathsOf, releaseContext, type DeployContext } from "../world/context.ts";
import { tidySubmodules } from "../instance/submodules.ts";

/** What is on the air, what was lately, what is being deployed, and what a living process stands in. */
function keptDeploys(
  context: DeployContext,
  row: InstanceRow,
  inUse: ReadonlySet<string>,
): Deploy[] {
  const { store, config } = context;
  const paths = pathsOf(context, row.name);
  const live = row.live === null ? undefined : store.deploys.get(row.live);
  return [
    ...store.deploys.releases(row.name, config.server.kept_releases + 1),
    ...store.deploys.unfinished().filter((deploy) => deploy.instance === row.name),
    ...(live ? [live] : []),
    ...[...inUse].flatMap((folder) => {
      // An app may run in a folder of its tree.
      const [commit = ""] = relative(paths.releases, folder).split(sep, 1);
      return store.deploys.releaseOf(row.name, commit) ?? [];
    }),
  ];
}

/** Has refs lead to the commits of all that an app and its previews keep, before git is to forget what none leads to. */
export async function pinKept(context: DeployContext, app: string): Promise<void> {
  const inUse = await workingFolders();
  for (const row of context.store.instances.all().filter((one) => one.app === app)) {
    const kept = new Set(keptDeploys(context, row, inUse).map((deploy) => deploy.newCommit));
    const there = await readdir(pathsOf(context, row.name).releases).catch(() => []);
    const commits = there.filter((commit) => kept.has(commit));
    if (commits.length > 0)
      await context.system.run(pinReleases(gitOf(context, app), row.name, commits));
  }
}

/** Removes the releases and environments that an instance needs no more. Resolves to what was removed, in words. */
export async function prune(context: DeployContext, row: InstanceRow): Promise<string[]> {
  const kept = keptDeploys(context, row, await workingFolders());
  const releases = await pruneReleases(
    releaseContext(context, row),
    new Set(kept.map((deploy) => deploy.newCommit)),
  );
  await tidySubmodules(context, row.app);
  const environments = await tidyEnvironments(context, row);
  return [
    ...releases.map((commit) => `release ${shortCommit(commit)}`),
    ...environments.map((hash) => `environment ${hash}`),
  ];
}

/**
 * Removes the environments that nobody needs of those that an instance shares: previews have theirs together.
 * One that was built at `since` or later stays as well. Resolves to those that it removed.
 */
export async function tidyEnvironments(
  context: DeployContext,
  instance: { name: string; app: string },
  since = Infinity,
): Promise<string[]> {
  const { store, system, turns } = context;
  const paths = pathsOf(context, instance.name);
  return turns.run(paths.environments, async () => {
    const rows = store.instances.all().filter((row) => sharesWith(instance, row));
    const onAir = rows.flatMap(({ live }) => (live === null ? [] : [store.deploys.get(live)]));
    const wanted = new Set(onAir.map((deploy) => deploy?.environment));
    // With hundreds of previews beside each other nearly always all of them are on the air.
    const there = await listEnvironments(paths);
    if (there.every((hash) => wanted.has(hash))) return [];

    const inUse = await workingFolders();
    const deploys = [
      ...rows.flatMap((row) => keptDeploys(context, row, inUse)),
      ...store.deploys
        .unfinished()
        .filter(({ app, instance: name }) => sharesWith(instance, { name, app })),
    ];
    const kept = deploys.map((deploy) => deploy.environment).filter((hash) => hash !== null);
    for (const hash of there)
      if (await isBuiltSince(environmentPath(paths, hash), since)) kept.push(hash);
    return pruneEnvironments({ system, paths, turns }, new Set(kept));
  });
}

async function isBuiltSince(path: string, since: number): Promise<boolean> {
  const built = await stat(path).catch(() => undefined);
  return built !== undefined && built.mtimeMs >= since;
}

function sharesWith(
  one: { name: string; app: string },
  other: { name: string; app: string },
): boolean {
  return (
    other.name === one.name ||
    (other.app === one.app && isPreviewName(other.name) && isPreviewName(one.name))
  );
}
