import { chmod, chown, mkdir, readdir, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { environmentPath, type InstancePaths } from "../app/instance.ts";
import { UserError } from "../errors.ts";
import type { Box } from "../host/box.ts";
import { isPresent } from "../host/files.ts";
import { CommandFailed, type Host, type Identity } from "../host/host.ts";
import { printable } from "../host/lines.ts";
import type { Turns } from "../host/turns.ts";
import {
  installRequirements,
  listPackages,
  makeEnvironment,
  temporaryIn,
  type Installer,
  type PackageSources,
} from "./environment-commands.ts";
import { netrcOf } from "./netrc.ts";
import {
  constraintsOf,
  hasLocalPaths,
  withoutCredentials,
  withoutEditable,
  type RequirementsFile,
} from "./requirements.ts";

export interface EnvironmentContext {
  host: Host;
  paths: InstancePaths;
  installer: Installer;
  python: string;
  sources: PackageSources;
  appUser: Identity;
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
  release: string;
  /** What an earlier environment of the same hash held: a rollback gets what it had. */
  packages: string | undefined;
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
  const { paths, host, appUser } = context;
  const path = environmentPath(paths, request.hash);
  await writeFile(markerOf(path), "");
  try {
    // rm(1) is not led astray by somebody who moves folders meanwhile, as Node's is.
    await host.run({ file: "rm", args: ["-rf", "--one-file-system", "--", path] });
    await ownFolder(context, path);
    const scratch = await provideScratch(context, request.hash);
    const packages = await install(context, { ...request, path, scratch });
    await sealEnvironment(host, path, appUser);
    await removeScratch(context, request.hash);
    await rm(markerOf(path));
    return packages;
  } catch (error) {
    await removeEnvironment(context, request.hash);
    throw explain(error);
  }
}

/**
 * Copies another instance's sealed environment, for a user that may not read that one. Its scripts name the
 * interpreter by its path; they are changed as the user that will run them, because a link among them must
 * lead nobody with more rights anywhere. Resolves to whether it could: that instance may remove it meanwhile,
 * and what was copied of it by then is not all of it.
 */
export async function copyEnvironment(
  context: Pick<EnvironmentContext, "host" | "paths" | "appUser">,
  from: string,
  hash: string,
): Promise<boolean> {
  const { paths, host, appUser } = context;
  const path = environmentPath(paths, hash);
  await writeFile(markerOf(path), "");
  try {
    await host.run({ file: "cp", args: ["-a", "--reflink=auto", "--", from, path] });
    if (!(await isComplete(from))) throw new Error(`${from} went while it was copied`);
    await host.run(
      host.isRoot
        ? { file: "chown", args: ["-hR", `${appUser.uid}:${appUser.gid}`, "--", path] }
        : { file: "chmod", args: ["-R", "u+w", "--", path] },
    );
    const scripts = [join(path, "bin"), "-type", "f", "-exec"];
    const moved = `1s|^#!${from}/|#!${path}/|`;
    await host.run({
      file: "find",
      args: [...scripts, "sed", "-i", moved, "{}", "+"],
      as: appUser,
    });
    await sealEnvironment(host, path, appUser);
    await rm(markerOf(path));
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
  context: Pick<EnvironmentContext, "host" | "paths"> & { turns: Turns },
  kept: ReadonlySet<string>,
): Promise<string[]> {
  const { paths, turns } = context;
  const removed: string[] = [];
  for (const hash of await listEnvironments(paths)) {
    const path = environmentPath(paths, hash);
    if (turns.isTaken(path)) continue;
    await turns.run(path, async () => {
      if (kept.has(hash) && (await isComplete(path))) return;
      await removeEnvironment(context, hash);
      removed.push(hash);
    });
  }
  return removed;
}

async function install(
  context: EnvironmentContext,
  request: EnvironmentRequest & { path: string; scratch: string },
): Promise<string> {
  const { host, onLine } = context;
  const build = {
    ...context,
    environment: request.path,
    cache: cacheOf(context.paths),
    scratch: request.scratch,
    as: context.appUser,
  };
  const say = { onLine: bounded(onLine), signal: context.signal };
  await host.run(makeEnvironment(build), say);
  if (request.files.length === 0) return "";

  await writeNetrc(context, request.scratch);
  const constraints = await writeConstraints(context, request);
  const cwd = hasLocalPaths(request.files) ? await copyTree(context, request) : request.release;
  const requirements = join(cwd, request.files[0]?.path ?? "");
  await host.run(installRequirements(build, { requirements, constraints, cwd }), say);
  return (await host.run(listPackages(build))).trim();
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
  { host, appUser, sources }: EnvironmentContext,
  scratch: string,
): Promise<void> {
  const input = netrcOf(sources);
  if (input === undefined) return;
  await host.run({ file: "tee", args: ["--", join(scratch, ".netrc")], input, as: appUser });
}

async function writeConstraints(
  context: EnvironmentContext,
  request: EnvironmentRequest & { scratch: string },
): Promise<string | undefined> {
  const pins = constraintsOf(request.packages ?? "");
  if (pins === "") return undefined;
  const path = join(request.scratch, "constraints.txt");
  // Root follows no link that the folder's owner may have laid there.
  const { host, appUser } = context;
  await host.run({ file: "tee", args: ["--", path], input: `${pins}\n`, as: appUser });
  return path;
}

/** Packages of the tree itself are built in a copy: their builds write where they stand, and a release is sealed. */
async function copyTree(
  context: EnvironmentContext,
  request: EnvironmentRequest & { scratch: string },
): Promise<string> {
  const copy = join(request.scratch, "tree");
  const { host, appUser } = context;
  await host.run({
    file: "cp",
    args: ["-r", "--no-preserve=mode,ownership", "--no-dereference", "--", request.release, copy],
    as: appUser,
  });
  for (const file of request.files) {
    await host.run({
      file: "tee",
      args: [join(copy, file.path)],
      input: withoutEditable(file.text),
      as: appUser,
    });
  }
  return copy;
}

function cacheOf(paths: InstancePaths): string {
  return join(paths.environments, ".cache");
}

function scratchOf(paths: InstancePaths, hash: string): string {
  return join(cacheOf(paths), hash);
}

/** Beside the installers' caches, which the builds of an instance share; those that run at once share nothing else. */
async function provideScratch(context: EnvironmentContext, hash: string): Promise<string> {
  const cache = cacheOf(context.paths);
  // Another build may be the first as well.
  if (!(await isPresent(cache))) await ownFolder(context, cache, { recursive: true });
  const { host, appUser: as } = context;
  const scratch = scratchOf(context.paths, hash);
  await removeScratch(context, hash);
  await host.run({ file: "mkdir", args: ["--", scratch, temporaryIn(scratch)], as });
  return scratch;
}

async function removeScratch(
  { host, paths }: Pick<EnvironmentContext, "host" | "paths">,
  hash: string,
): Promise<void> {
  const scratch = scratchOf(paths, hash);
  // The folder above is its user's: where an app keeps laying something there, that is its own affair.
  await forceRemoval(host, scratch).catch(() => undefined);
}

async function ownFolder(
  context: EnvironmentContext,
  path: string,
  { recursive = false } = {},
): Promise<void> {
  await mkdir(path, { mode: 0o750, recursive });
  await chmod(path, 0o750);
  await give(context, path);
}

async function give(context: EnvironmentContext, path: string): Promise<void> {
  if (context.host.isRoot) await chown(path, context.appUser.uid, context.appUser.gid);
}

/**
 * Takes an environment from the user that built it. An app of that user may be running and hold a folder of
 * it open: so it is closed before anything else, belongs to root before its modes change, and only then opens
 * for the app, which may read it. A program in it that would give others the rights of its owner must not.
 */
async function sealEnvironment(host: Host, path: string, appUser: Identity): Promise<void> {
  const commands: [file: string, ...args: string[]][] = host.isRoot
    ? [
        ["chown", "-h", "0:0", "--", path],
        ["chmod", "0700", "--", path],
        ["chown", "-hR", `0:${appUser.gid}`, "--", path],
        ["chmod", "-R", "u-s,g-s,go-w", "--", path],
        ["chmod", "0750", "--", path],
      ]
    : [["chmod", "-R", "a-w", "--", path]];
  for (const [file, ...args] of commands) await host.run({ file, args });
}

async function removeEnvironment(
  context: Pick<EnvironmentContext, "host" | "paths">,
  hash: string,
): Promise<void> {
  const path = environmentPath(context.paths, hash);
  await writeFile(markerOf(path), "");
  await removeScratch(context, hash);
  await forceRemoval(context.host, path);
  await rm(markerOf(path), { force: true });
}

/** With all that is sealed in it. */
async function forceRemoval(host: Host, path: string): Promise<void> {
  if (!(await isPresent(path))) return;
  if (!host.isRoot)
    await host.run({
      file: "find",
      args: [path, "-type", "d", "-exec", "chmod", "u+w", "{}", "+"],
    });
  await host.run({ file: "rm", args: ["-rf", "--one-file-system", "--", path] });
}

function markerOf(path: string): string {
  return `${path}.building`;
}

function explain(error: unknown): unknown {
  if (!(error instanceof CommandFailed)) return error;
  const output = withoutCredentials(printable(error.output));
  if (/No space left on device|Disk quota exceeded/.test(output)) {
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
