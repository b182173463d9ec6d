import { join } from "node:path";
import {
  environmentPath,
  releasePath,
  repositoryPath,
  submodulesPath,
  type InstancePaths,
} from "../../names/instance.ts";
import { isPreviewName } from "../../names/names.ts";
import { pathsOf, type DeployContext } from "../world/context.ts";
import { putAsideOf } from "../vassal/rotation.ts";
import { workshopsOf } from "../environment/workshop.ts";
import { UserError } from "../../errors.ts";
import type { Identity } from "../../system/system.ts";
import type { Limits } from "../../system/limits.ts";
import { walk, type Errand } from "../../system/walker.ts";
import type { DiskUse } from "../../protocol/readings.ts";
import { expectApp } from "./queries.ts";

/** Milliseconds for what one row tells: an app may have any number of files. */
const deadline = 30_000;
/** And any number of names in one folder, which are read at once. */
const limits: Limits = { memory: 512 * 1024 * 1024, seconds: deadline / 1000 };

/** How it is counted for whoever asked; it ends when they have gone. */
interface Measuring extends Pick<DeployContext, "system" | "log"> {
  gone: AbortSignal;
}

/**
 * A row for the app itself, and one for all of its previews where there are any. One request is worked on at a time:
 * root looks at as many files as an app likes to have, for as many people as may read it.
 */
export async function measureDisk(
  context: DeployContext,
  app: string,
  gone: AbortSignal,
): Promise<DiskUse[]> {
  expectApp(context, app);
  try {
    return await context.turns.run("disk", () => measureApp(context, app, gone), gone);
  } catch (error) {
    if (!gone.aborted) throw error;
    throw new UserError("PUSH_GONE", "whoever asked has gone meanwhile");
  }
}

async function measureApp(
  context: DeployContext,
  app: string,
  gone: AbortSignal,
): Promise<DiskUse[]> {
  expectApp(context, app);
  const { system, log, store, config } = context;
  const measuring = { system, log, gone };
  const names = store.instances.all().flatMap((row) => (row.app === app ? row.name : []));
  const previews = names.filter(isPreviewName);
  const deployLogs = join(config.layout.deployLogs, app);
  const itself: DiskUse = {
    of: "app",
    // A first deploy that failed has left something, and no instance.
    ...(await measureInstances(context, measuring, [app], [deployLogs])),
    repository: await measureRepository(context, measuring, app),
  };
  if (previews.length === 0) return [itself];
  const theirs = await measureInstances(context, measuring, previews);
  return [itself, { of: "previews", ...theirs, repository: 0 }];
}

type Measured = Omit<DiskUse, "of" | "repository">;

async function measureInstances(
  context: DeployContext,
  measuring: Measuring,
  names: string[],
  deployLogs: string[] = [],
): Promise<Measured> {
  const paths = names.map((name) => pathsOf(context, name));
  const live = names.flatMap((name) => onAir(context, name));
  // Previews have theirs together.
  const folders = [...new Set(paths.map((of) => of.environments))];
  const sums = await measure(measuring, [
    inside(paths.map((of) => of.releases)),
    whole(live.map(({ release }) => release)),
    inside(folders),
    whole([...new Set(live.flatMap(({ environment }) => environment ?? []))]),
    whole(folders.map(workshopsOf)),
    inside(paths.map((of) => of.data)),
    whole([...(await logsOf(paths)), ...deployLogs]),
  ]);
  if (!sums) return unknown;
  const [releases = 0, releasesOnAir = 0, all = 0, environmentsOnAir = 0, caches = 0] = sums;
  const [data = 0, logs = 0] = sums.slice(5);
  const environments = without(all, caches);
  const idle = without(releases, releasesOnAir) + without(environments, environmentsOnAir);
  return { releases, environments, caches, data, logs, mayGo: idle + caches };
}

/** With what was put aside of them. */
async function logsOf(paths: InstancePaths[]): Promise<string[]> {
  const logs = paths.flatMap(({ log, accessLog }) => [log, accessLog]);
  const asides = await Promise.all(logs.map(putAsideOf));
  return [...logs, ...asides.flat().map(({ path }) => path)];
}

function whole(paths: string[]): Errand[] {
  return paths.map((path) => ({ do: "measure", path, live: true }));
}

/** Where what is there can go and the folder stays. */
function inside(paths: string[]): Errand[] {
  return paths.map((path) => ({ do: "measure", path, only: "inside", live: true }));
}

/** The part was counted later, and may have grown beyond all: a build goes on meanwhile. */
function without(all: number, part: number): number {
  return Math.max(0, all - part);
}

const unknown: Measured = {
  ...{ releases: null, environments: null, caches: null, data: null, logs: null, mayGo: null },
};

/** What of an instance cannot go, where it is. */
function onAir(
  context: DeployContext,
  name: string,
): { release: string; environment: string | undefined }[] {
  const { store } = context;
  const live = store.instances.get(name)?.live ?? null;
  const deploy = live === null ? undefined : store.deploys.get(live);
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
async function measureRepository(
  { config: { layout }, identities }: DeployContext,
  measuring: Measuring,
  app: string,
): Promise<number | null> {
  const repository = await measure(
    measuring,
    [whole([repositoryPath(layout, app)])],
    identities.front,
  );
  const submodules = await measure(measuring, [whole([submodulesPath(layout, app)])]);
  if (!repository || !submodules) return null;
  return (repository[0] ?? 0) + (submodules[0] ?? 0);
}

/** The bytes of each of these groups; undefined where that takes too much time or memory. */
async function measure(
  { system, log, gone }: Measuring,
  groups: Errand[][],
  as?: Identity,
): Promise<number[] | undefined> {
  try {
    const command = { ...walk(groups.flat(), as), deadline, limits };
    const lines = await system.run(command, { signal: gone });
    const bytes = lines.split("\n").map(Number);
    return groups.map(({ length }) => bytes.splice(0, length).reduce((sum, one) => sum + one, 0));
  } catch (error) {
    gone.throwIfAborted();
    log.warn({ err: error }, "could not measure what an app takes on the disk");
    return undefined;
  }
}
