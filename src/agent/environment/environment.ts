import { mkdir, readdir, rename, rmdir, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { environmentPath, type InstancePaths } from "../../names/instance.ts";
import { tellsNoSpace, UserError } from "../../errors.ts";
import { withoutCredentials } from "../../system/credentials.ts";
import type { Box } from "../../system/box.ts";
import { isPresent, removeFile } from "../../system/files.ts";
import {
  CommandFailed,
  type Command,
  type System,
  type Identity,
  type RunOptions,
} from "../../system/system.ts";
import { ownIdentity } from "../../system/identity.ts";
import { printable } from "../../system/lines.ts";
import { endProcesses } from "../../system/system-users.ts";
import type { Turns } from "../../system/turns.ts";
import { removeTrees, walk, type Errand } from "../../system/walker.ts";
import type { Coverage } from "../store/coverage.ts";
import {
  installRequirements,
  listPackages,
  listTakenOver,
  makeEnvironment,
  settlePackages,
  surveyed,
  takeOver,
  temporaryIn,
  treeIn,
  variablesIn,
  type Build,
  type Installer,
} from "./environment-commands.ts";
import { netrcOf } from "./netrc.ts";
import type { PackageSources } from "./package-sources.ts";
import { reachesTree, withEditable, withoutEditable } from "./coverage.ts";
import { constraintsOf, variablesHash, type RequirementsFile } from "./requirements.ts";
import {
  layOutAside,
  layOutWorkshop,
  openToBuilder,
  scratchOf,
  takeBack,
  workshopOf,
  type Builder,
} from "./workshop.ts";

export interface EnvironmentContext {
  system: System;
  paths: InstancePaths;
  installer: Installer;
  python: string;
  sources: PackageSources;
  /** Whom it is built for. */
  appUser: Identity;
  builder: Builder;
  box: Box;
  /** Milliseconds for one installer. */
  deadline: number;
  /** Aborted when nobody wants the environment any more. */
  signal?: AbortSignal | undefined;
  onLine: (line: string) => void;
}

export interface EnvironmentRequest {
  hash: string;
  files: RequirementsFile[];
  coverage: Coverage;
  release: string;
  /** What git says of its commit, for packages of the tree that have their version from it. */
  described: string;
  /** What packages see when they are built, of the app's settings. */
  variables: Record<string, string>;
  /** What an earlier environment of the same hash held: a rollback gets what it had. */
  packages: string | undefined;
  /** A sealed one of the same instance kind that it begins with, and so installs what differs. */
  basis?: Basis | undefined;
  beginning?: Beginning | undefined;
}

/** The links of a basis, laid out for a builder before it was known which environment begins with them. */
export interface Beginning {
  basis: string;
  builder: Identity;
  folder: string;
}

export interface Basis {
  hash: string;
  /** Packages of it that are installed anew, whatever their version. */
  without: readonly string[];
  /** So are those that came from a file, and from no index, and those of which the tree has an archive. */
  withoutFiles: boolean;
  /** Its requirements are the same: what comes from an index keeps its version. */
  isAlike: boolean;
}

/** Whether the environment is there and complete: a half-built one has its marker beside it. */
export async function hasEnvironment(paths: InstancePaths, hash: string): Promise<boolean> {
  return isComplete(environmentPath(paths, hash));
}

async function isComplete(path: string): Promise<boolean> {
  return (await isPresent(path)) && !(await isPresent(markerOf(path)));
}

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

/** The environment's folder: empty, or with all of the basis. Resolves to the basis, if it was there to the end. */
async function beginWith(
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

/** Those on disk, half-built ones included. */
export async function listEnvironments(paths: InstancePaths): Promise<string[]> {
  // A marker may stand alone: whoever set it was stopped before the folder was made, or after it was removed.
  const hashes = (await readdir(paths.environments))
    .map((name) => /^([0-9a-f]{16})(?:\.building)?$/.exec(name)?.[1])
    .filter((hash) => hash !== undefined);
  return [...new Set(hashes)];
}

/**
 * Removes every environment that is not kept, and what an interrupted build left. `turns` are those of the
 * builds, by the environment's path: what is being built stays.
 */
export async function pruneEnvironments(
  context: Pick<EnvironmentContext, "system" | "paths"> & { turns: Turns },
  kept: ReadonlySet<string>,
): Promise<string[]> {
  const { system, paths, turns } = context;
  const removed: string[] = [];
  for (const hash of await listEnvironments(paths)) {
    const path = environmentPath(paths, hash);
    if (turns.isTaken(path)) continue;
    await turns.run(path, async () => {
      if (kept.has(hash) && (await isComplete(path))) return;
      const scratch = system.isRoot ? [] : [scratchOf(workshopOf(paths, ownIdentity()), hash)];
      await removeEnvironment(context, hash, ...scratch);
      removed.push(hash);
    });
  }
  return removed;
}

/** Undefined where it would be another one, had it begun with nothing. */
async function install(
  context: EnvironmentContext,
  request: EnvironmentRequest & { path: string; scratch: string },
): Promise<string | undefined> {
  const { system, onLine, builder } = context;
  const { path: environment, scratch, files, basis } = request;
  const as = builder.user;
  const variables = variablesHash(request.variables);
  const own = { environment, workshop: dirname(scratch), scratch, as, variables };
  const build = { ...context, ...own };
  const say = { onLine: bounded(onLine), signal: context.signal };
  if (!basis) await system.run(makeEnvironment(build), say);
  else {
    const from = environmentPath(context.paths, basis.hash);
    if ((await inOrder(context, takeOver(build, from, basis))) === undefined) return undefined;
  }
  if (files.length === 0) return "";

  await writeNetrc(context, scratch);
  if (variables !== "") {
    const text = JSON.stringify(request.variables);
    await system.run(writeFileAs(as, variablesIn(scratch), text));
  }
  const packages = await installFiles(context, request, { ...say, build });
  return packages?.trim();
}

/**
 * Packages of the tree that are to be edited are, in the release, which they see whole: templates that no manifest
 * names, say. Where the build of one leaves files in its copy of the tree, an extension in C, a file with the version,
 * the release would lack them: then all are installed for good. So they are where a backend builds no other ones.
 * Resolves to the list of all packages; undefined where they are not what they would be without the basis.
 */
async function installFiles(
  context: EnvironmentContext,
  request: EnvironmentRequest & { scratch: string },
  { build, ...say }: RunOptions & { build: Build },
): Promise<string | undefined> {
  const { system, signal } = context;
  const { scratch, files, basis, coverage, release } = request;
  const tree = treeIn(scratch);
  const requirements = join(tree, files[0]?.path ?? "");
  const how = {
    requirements,
    constraints: await writeConstraints(context, request),
    // What a line names is looked for from where the first file is: the folder that the app runs in.
    cwd: dirname(requirements),
    keepsVersions: basis?.isAlike ?? false,
    hasEditable: coverage.local.some(({ editable }) => editable),
    isForGood: false,
  };
  const listing = basis ? listTakenOver(build) : listPackages(build);
  const list = (command: Command): Promise<string | undefined> =>
    basis ? inOrder(context, command) : system.run(command, { signal });
  if (coverage.local.length === 0) {
    await writeRequirements(context, tree, request, withoutEditable);
    await system.run(installRequirements(build, how), say);
    return list(listing);
  }
  const settling = settlePackages(build, tree, release, listing);
  await writeRequirements(context, tree, request, withEditable);
  const installing = installRequirements(build, how);
  const edited = await system
    .run(surveyed(build, tree, request.described, installing), say)
    .then(() => list(settling))
    .catch(unlessUneditable);
  const why = edited && whyNotEditable(edited);
  if (!why) return edited;
  say.onLine?.(`reeve: ${why}: its packages are installed for good, not to be edited`);
  const fixing = installRequirements(build, { ...how, hasEditable: false, isForGood: true });
  const installForGood = (): Promise<string | undefined> =>
    system.run(fixing, say).then(() => list(settling));
  // Told by a variable, uv does so with packages that no line names as well, and a setup.py that reads the lines finds
  // them as they were. Neither pip nor an older uv knows it.
  if (build.installer.name === "uv") {
    const fixed = await installForGood().catch(unlessUneditable);
    if (!fixed || whyNotEditable(fixed) === undefined) return fixed;
  }
  await writeRequirements(context, tree, request, withoutEditable);
  return installForGood();
}

/** Undefined of what is the list: no line of one begins so. */
function whyNotEditable(printed: string): string | undefined {
  return /^not editable: (.*)/.exec(printed)?.[1];
}

/** A builder of packages need not know of packages that are edited: then there is no such hook (PEP 660). */
function unlessUneditable(error: unknown): string {
  if (error instanceof CommandFailed && /\bbuild_editable\b/.test(error.output))
    return "not editable: no build_editable in a build backend";
  throw error;
}

async function writeRequirements(
  { system, builder }: EnvironmentContext,
  tree: string,
  { files, coverage }: EnvironmentRequest,
  textOf: (file: RequirementsFile, coverage: Coverage) => string,
): Promise<void> {
  const as = builder.user;
  const folders = new Set(files.map(({ path }) => dirname(join(tree, path))));
  folders.delete(tree);
  if (folders.size > 0) await system.run({ file: "mkdir", args: ["-p", "--", ...folders], as });
  for (const file of files)
    await system.run(writeFileAs(as, join(tree, file.path), textOf(file, coverage)));
}

/** What it prints; undefined where it fails: what it reads may be whatever an earlier build left. */
async function inOrder(
  { system, signal }: EnvironmentContext,
  command: Command,
): Promise<string | undefined> {
  try {
    return await system.run(command, { signal });
  } catch (error) {
    if (error instanceof CommandFailed) return undefined;
    throw error;
  }
}

/** Of what an installer prints this much is a pusher's to read: whoever prints without end fills no log. */
const longestOutput = 1024 * 1024;

function bounded(onLine: (line: string) => void): (line: string) => void {
  let length = 0;
  return (line) => {
    if (length > longestOutput) return;
    length += line.length + 1;
    const isLast = length > longestOutput;
    onLine(isLast ? "(the rest is left out)" : withoutCredentials(printable(line)));
  };
}

/** Where pip looks for what its indexes' addresses do not say: in its home. */
async function writeNetrc(
  { system, builder, sources }: EnvironmentContext,
  scratch: string,
): Promise<void> {
  const netrc = netrcOf(sources);
  if (netrc === undefined) return;
  await system.run(writeFileAs(builder.user, join(scratch, ".netrc"), netrc));
}

async function writeConstraints(
  { system, builder }: EnvironmentContext,
  request: EnvironmentRequest & { scratch: string },
): Promise<string | undefined> {
  const pins = constraintsOf(request.packages ?? "");
  if (pins === "") return undefined;
  const path = join(request.scratch, "constraints.txt");
  await system.run(writeFileAs(builder.user, path, `${pins}\n`));
  return path;
}

/** As the builder, because its code may have laid links where root would follow them. */
function writeFileAs(as: Identity, path: string, input: string): Command {
  return { file: "tee", args: ["--", path], as, input };
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

/**
 * Takes an environment from the user that built it, of which a process may still run and hold a folder of it open.
 * A program in it that would give others the rights of its owner must not, and a file of somebody else's that was
 * linked into it has no place there. What came from the basis is root's and the app's to read already, as nothing is that
 * the builder could reach elsewhere.
 */
function sealOf(
  path: string,
  context: Sealed & Pick<EnvironmentContext, "builder">,
  basis: Basis | undefined,
): Errand {
  const { system, builder } = context;
  const others = system.isRoot
    ? ({ of: builder.user.uid, others: basis ? "sealed" : "remove" } as const)
    : {};
  return { do: "give", path, ...others, ...sealedFor(context) };
}

type Sealed = Pick<EnvironmentContext, "system" | "appUser">;

/**
 * With root the app may read it, and only at its end; without, nobody may write in it. Its own folder keeps everybody
 * else out: in there all can be read, also by the builder of one that begins with it.
 */
function sealedFor({ system, appUser }: Sealed) {
  return system.isRoot
    ? { owner: { uid: 0, gid: appUser.gid }, clear: 0o7022, share: 0o055, top: 0o750 }
    : { clear: 0o7222 };
}

async function removeEnvironment(
  context: Pick<EnvironmentContext, "system" | "paths">,
  hash: string,
  // With root, what a build has left that was cut off is taken back before its builder works again.
  ...scratch: string[]
): Promise<void> {
  const path = environmentPath(context.paths, hash);
  await writeFile(markerOf(path), "");
  await removeTrees(context.system, path, ...scratch);
  await removeFile(markerOf(path));
}

function markerOf(path: string): string {
  return `${path}.building`;
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
