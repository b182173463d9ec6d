import { mkdir, writeFile } from "node:fs/promises";
import { dirname } from "node:path";
import { environmentPath } from "../../names/instance.ts";
import { tellsNoSpace, UserError } from "../../errors.ts";
import { withoutCredentials } from "../../system/credentials.ts";
import { removeFile } from "../../system/files.ts";
import { printable } from "../../system/lines.ts";
import { CommandFailed } from "../../system/system.ts";
import { endProcesses } from "../../system/system-users.ts";
import { removeTrees, walk, type Errand } from "../../system/walker.ts";
import { beginWith } from "./begin.ts";
import { reachesTree } from "./coverage.ts";
import { temporaryIn, treeIn } from "./environment-commands.ts";
import {
  isComplete,
  markerOf,
  removeEnvironment,
  type EnvironmentContext,
  type EnvironmentRequest,
} from "./environment.ts";
import { install } from "./install.ts";
import { sealedFor, sealOf } from "./seal.ts";
import { layOutWorkshop, openToBuilder, scratchOf, takeBack, workshopOf } from "./workshop.ts";

/**
 * Builds an environment at its final path (a virtualenv that was moved has broken scripts), under a marker
 * that goes when it is sealed. A build that fails leaves nothing. Resolves to what `pip freeze` lists.
 */
export async function buildEnvironment(
  context: EnvironmentContext,
  request: EnvironmentRequest,
): Promise<string> {
  const { paths, system, builder } = context;
  const path = environmentPath(paths, request.hash);
  const scratch = scratchOf(workshopOf(paths, builder.user), request.hash);
  await writeFile(markerOf(path), "");
  try {
    const packages = await work(context, { ...request, path });
    const seal = sealOf(path, context, request.basis);
    await system.run(walk([seal, { do: "remove", path: scratch }]));
    await removeFile(markerOf(path));
    return packages;
  } catch (error) {
    await removeEnvironment(context, request.hash, scratch);
    throw explain(error);
  }
}

/**
 * Copies another instance's sealed environment, for a user that may not read that one; its scripts, which name the
 * interpreter by its path, name the copy's. Resolves to whether it could: that instance may remove it meanwhile, and
 * what was copied of it by then is not all of it.
 */
export async function copyEnvironment(
  context: Pick<EnvironmentContext, "system" | "paths" | "appUser">,
  from: string,
  hash: string,
): Promise<boolean> {
  const { paths, system } = context;
  const path = environmentPath(paths, hash);
  await writeFile(markerOf(path), "");
  try {
    const copy: Errand = {
      ...{ do: "copy", path: from, to: path, scripts: true },
      ...sealedFor(context),
    };
    await system.run(walk([{ do: "remove", path }, copy]));
    if (!(await isComplete(from))) throw new Error(`${from} went while it was copied`);
    await removeFile(markerOf(path));
    return true;
  } catch (error) {
    await removeEnvironment(context, hash);
    if (!(await isComplete(from))) return false;
    throw explain(error);
  }
}

/**
 * The builder has what it writes in from the first of its processes to the last, and no longer. Where an environment
 * that began with another one is not what it would be without, it begins with nothing.
 */
async function work(
  context: EnvironmentContext,
  request: EnvironmentRequest & { path: string },
): Promise<string> {
  const { paths, system, builder } = context;
  const { path, hash } = request;
  builder.isClean = false;
  if (system.isRoot) await endProcesses(system, builder.user);
  await removeTrees(system, path);
  const basis = await beginWith(context, request);
  const scratch = await layOutWorkshop(context, paths.environments, hash);
  let packages: string | undefined;
  try {
    await layOutTree(context, request, scratch);
    for (const folder of [treeIn(scratch), temporaryIn(scratch), scratch, path, dirname(scratch)])
      await openToBuilder(context, folder);
    packages = await install(context, { ...request, basis, scratch });
  } finally {
    await takeBack(context, path, scratch);
  }
  return packages ?? work(context, { ...request, basis: undefined });
}

/**
 * The builder may read no release, and gets a copy of the tree where the requirements reach into it: packages of
 * the tree itself are built in it, since their builds write where they stand.
 */
async function layOutTree(
  { system, builder }: EnvironmentContext,
  { coverage, release }: EnvironmentRequest,
  scratch: string,
): Promise<void> {
  const tree = treeIn(scratch);
  await mkdir(temporaryIn(scratch), { mode: 0o700 });
  if (!reachesTree(coverage)) await mkdir(tree, { mode: 0o700 });
  else {
    const owner = system.isRoot ? builder.user : undefined;
    await system.run(walk([{ do: "copy", path: release, to: tree, owner, add: 0o200 }]));
  }
}

function explain(error: unknown): unknown {
  if (!(error instanceof CommandFailed)) return error;
  const output = withoutCredentials(printable(error.output));
  if (tellsNoSpace(output)) {
    return new UserError("NO_SPACE", `no space left on the disk for the environment:\n${output}`, {
      cause: error,
    });
  }
  const message = error.timedOut
    ? `the installer did not end within ${(error.command.deadline ?? 0) / 1000} s and was stopped`
    : `the installer ${wasKilled(error) ? "was killed" : `failed (exit code ${error.exitCode ?? "?"})`}`;
  return new UserError("ENVIRONMENT_FAILED", message, { cause: error });
}

/** In a box a signal is told as the shell tells it. */
function wasKilled({ exitCode }: CommandFailed): boolean {
  return exitCode === undefined || exitCode > 128;
}
