import { join } from "node:path";
import { environmentPath, releasePath, repositoryPath, submodulesPath } from "../app/instance.ts";
import { isPreviewName } from "../app/names.ts";
import { pathsOf, type DeployContext } from "../deploy/context.ts";
import { workshopsOf } from "../environment/workshop.ts";
import type { Identity } from "../host/host.ts";
import { walk } from "../host/walker.ts";
import type { DiskUse } from "../protocol/readings.ts";
import type { InstanceRow } from "../store/agent/instances.ts";
import { expectApp } from "./queries.ts";

/** Milliseconds for what one row tells: an app may have any number of files. */
const deadline = 30_000;

/** A row for the app itself, and one for all of its previews where there are any. */
export async function measureDisk(context: DeployContext, app: string): Promise<DiskUse[]> {
  expectApp(context, app);
  const { store, config } = context;
  const rows = store.instances.all().filter((row) => row.app === app);
  const previews = rows.filter(({ name }) => isPreviewName(name));
  const itself = rows.filter(({ name }) => !isPreviewName(name));
  const deployLogs = join(config.layout.deployLogs, app);
  return [
    {
      of: "app",
      ...(await measureInstances(context, itself, [deployLogs])),
      repository: await measureRepository(context, app),
    },
    ...(previews.length > 0
      ? [
          {
            of: "previews" as const,
            ...(await measureInstances(context, previews)),
            repository: 0,
          },
        ]
      : []),
  ];
}

type Measured = Omit<DiskUse, "of" | "repository">;

async function measureInstances(
  context: DeployContext,
  rows: InstanceRow[],
  deployLogs: string[] = [],
): Promise<Measured> {
  const paths = rows.map(({ name }) => pathsOf(context, name));
  const live = rows.flatMap((row) => onAir(context, row));
  // Previews have theirs together.
  const environments = [...new Set(paths.map((of) => of.environments))];
  const sums = await measure(context, [
    paths.map((of) => of.releases),
    live.map(({ release }) => release),
    environments,
    [...new Set(live.flatMap(({ environment }) => environment ?? []))],
    environments.map(workshopsOf),
    paths.map((of) => of.data),
    [...paths.map((of) => of.log), ...deployLogs],
  ]);
  if (!sums) return unknown;
  const [releases = 0, releasesOnAir = 0, all = 0, environmentsOnAir = 0, caches = 0] = sums;
  const [data = 0, logs = 0] = sums.slice(5);
  const mayGo = releases - releasesOnAir + all - environmentsOnAir;
  return { releases, environments: all - caches, caches, data, logs, mayGo };
}

const unknown: Measured = {
  ...{ releases: null, environments: null, caches: null, data: null, logs: null, mayGo: null },
};

/** What of an instance cannot go, where it is. */
function onAir(
  context: DeployContext,
  { name, live }: InstanceRow,
): { release: string; environment: string | undefined }[] {
  const deploy = live === null ? undefined : context.store.deploys.get(live);
  if (!deploy) return [];
  const paths = pathsOf(context, name);
  const { newCommit, environment } = deploy;
  return [
    {
      release: releasePath(paths, newCommit),
      environment: environment ? environmentPath(paths, environment) : undefined,
    },
  ];
}

/** The repository is the front's, in a folder of its own. */
async function measureRepository(context: DeployContext, app: string): Promise<number | null> {
  const { layout } = context.config;
  const repository = await measure(
    context,
    [[repositoryPath(layout, app)]],
    context.identities.front,
  );
  const submodules = await measure(context, [[submodulesPath(layout, app)]]);
  if (!repository || !submodules) return null;
  return (repository[0] ?? 0) + (submodules[0] ?? 0);
}

/** The bytes of each of these groups of paths; undefined where that takes too long, or the app changed it meanwhile. */
async function measure(
  { host, log }: DeployContext,
  groups: string[][],
  as?: Identity,
): Promise<number[] | undefined> {
  const errands = groups.flat().map((path) => ({ do: "measure" as const, path }));
  try {
    const lines = await host.run({ ...walk(errands, as), deadline });
    const bytes = lines.split("\n").map(Number);
    return groups.map(({ length }) => bytes.splice(0, length).reduce((sum, one) => sum + one, 0));
  } catch (error) {
    log.warn({ err: error }, "could not measure what an app takes on the disk");
    return undefined;
  }
}
