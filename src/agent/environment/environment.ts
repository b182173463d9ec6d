import { readdir, writeFile } from "node:fs/promises";
import { environmentPath, type InstancePaths } from "../../names/instance.ts";
import type { Box } from "../../system/box.ts";
import { isPresent, removeFile } from "../../system/files.ts";
import type { Identity, System } from "../../system/system.ts";
import { removeTrees } from "../../system/walker.ts";
import type { Coverage } from "../store/coverage.ts";
import type { Installer } from "./environment-commands.ts";
import type { PackageSources } from "./package-sources.ts";
import type { RequirementsFile } from "./requirements.ts";
import type { Builder } from "./workshop.ts";

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
  /** What packages see when they are built, of the app's variables. */
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
  /** So are those of which the tree has an archive. */
  withoutArchived: boolean;
  /** And those that came from a file, and from no index. */
  withoutFiles: boolean;
  /** Its requirements are the same: what comes from an index keeps its version. */
  isAlike: boolean;
}

/** Whether the environment is there and complete: a half-built one has its marker beside it. */
export async function hasEnvironment(paths: InstancePaths, hash: string): Promise<boolean> {
  return isComplete(environmentPath(paths, hash));
}

/** The same of one by its path. */
export async function isComplete(path: string): Promise<boolean> {
  return (await isPresent(path)) && !(await isPresent(markerOf(path)));
}

/** Those on disk, half-built ones included. */
export async function listEnvironments(paths: InstancePaths): Promise<string[]> {
  // A marker may stand alone: whoever set it was stopped before the folder was made, or after it was removed.
  const hashes = (await readdir(paths.environments))
    .map((name) => /^([0-9a-f]{16})(?:\.building)?$/.exec(name)?.[1])
    .filter((hash) => hash !== undefined);
  return [...new Set(hashes)];
}

/** Under its marker, so that what a stop in between leaves is no environment. */
export async function removeEnvironment(
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

/** Stands beside an environment that is not complete. */
export function markerOf(path: string): string {
  return `${path}.building`;
}
