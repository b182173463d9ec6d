import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { writingIn, type Box } from "../../system/box.ts";
import type { Command, Identity } from "../../system/system.ts";
import { withoutUser } from "./netrc.ts";
import type { PackageSources } from "./package-sources.ts";

export interface Installer {
  name: "uv" | "pip";
  /** uv's own path; pip is the environment's. */
  file: string;
}

/** The one of whichever environment it installs into. */
export const pip: Installer = { name: "pip", file: "pip" };

export interface Build {
  installer: Installer;
  environment: string;
  python: string;
  /** The builder's own, in which installers keep what they fetched, and which holds the scratch. */
  workshop: string;
  /** What this build alone needs, and leaves there. */
  scratch: string;
  /** Names what packages are to see of the variables, of which there is a file; empty: nothing. */
  variables: string;
  sources: PackageSources;
  as: Identity;
  /** Packages run code of their own when they are built. */
  box: Box;
  /** Milliseconds. */
  deadline: number;
}

export function makeEnvironment(build: Build): Command {
  const { installer, environment, python } = build;
  return installer.name === "uv"
    ? installerCommand(build, installer.file, [
        "venv",
        "--quiet",
        "--allow-existing",
        "--python",
        python,
        environment,
      ])
    : installerCommand(build, python, ["-m", "venv", environment]);
}

const installedProgram = fileURLToPath(new URL("installed/__main__.py", import.meta.url));

/** Leaves of another environment, all of which is there by hard links, what can stand in this one, and makes it one. */
export function takeOver(
  build: Build,
  basis: string,
  {
    without,
    withoutArchived,
    withoutFiles,
  }: {
    without: readonly string[];
    withoutArchived: boolean;
    withoutFiles: boolean;
  },
): Command {
  const archives = withoutArchived ? treeIn(build.scratch) : "";
  const files = withoutFiles ? "files" : "";
  const words = ["take", build.environment, basis, notesIn(build.scratch), archives, files];
  const making = makeEnvironment(build);
  return { ...beforehand(build, words, making), input: without.join("\n") };
}

/**
 * Lists the packages of an environment that began with another one; fails where some are not as they would be had it
 * begun with nothing.
 */
export function listTakenOver(build: Build): Command {
  const words = ["check", build.environment, notesIn(build.scratch)];
  return beforehand(build, words, listPackages(build));
}

/**
 * Notes what is in a copy of the tree before this command builds packages in it, which are told what git says of the
 * commit.
 */
export function surveyed(build: Build, tree: string, described: string, command: Command): Command {
  const words = ["survey", tree, surveyIn(build.scratch)];
  return { ...beforehand(build, words, command), input: described };
}

/**
 * Has the packages that were built in the copy name the release in its place, and then lists all. Where some cannot be
 * edited there it prints why, and ends.
 */
export function settlePackages(
  build: Build,
  tree: string,
  release: string,
  listing: Command,
): Command {
  const words = ["settle", build.environment, tree, release, surveyIn(build.scratch)];
  return beforehand(build, words, listing);
}

/** The copy of the tree. */
export function treeIn(scratch: string): string {
  return join(scratch, "tree");
}

function notesIn(scratch: string): string {
  return join(scratch, "taken.json");
}

function surveyIn(scratch: string): string {
  return join(scratch, "tree.json");
}

function installedCommand(build: Build, words: string[]): Command {
  return installerCommand(build, build.python, ["-I", "-S", installedProgram, ...words]);
}

/** In one box with the command that comes next: a box costs more than most of what is done in it. */
function beforehand(build: Build, words: string[], command: Command): Command {
  const { file, args } = installedCommand(build, [...words, command.file, ...command.args]);
  return { ...command, file, args };
}

interface Installation {
  /** The file that says what. */
  requirements: string;
  /** The versions of an earlier build of the same. */
  constraints: string | undefined;
  cwd: string;
  /** What is there already stays at its version, where it is one that the requirements allow. */
  keepsVersions: boolean;
  hasEditable: boolean;
  /** No package is to be edited, whatever says so. */
  isForGood: boolean;
  /** Packages come from the machine as well, where others of the same names may be by now. */
  isFromMachine: boolean;
}

/**
 * Installs what the requirements say, and has uv remove what they do not; what is there already is replaced by what
 * they mean today.
 */
export function installRequirements(build: Build, how: Installation): Command {
  const { requirements, constraints, cwd, keepsVersions, hasEditable, isForGood, isFromMachine } =
    how;
  const held = constraints === undefined ? [] : ["--constraint", constraints];
  const what = ["--requirement", requirements, ...held];
  const python = interpreterOf(build.environment);
  const upgrade = keepsVersions ? [] : ["--upgrade"];
  // pip's older way leaves what it says of a package in the tree.
  const standard = hasEditable ? ["--use-pep517"] : [];
  const ofUv = ["pip", "install", "--python", python, "--exact", ...upgrade, "--compile-bytecode"];
  const ofPip = ["-m", "pip", "install", "--progress-bar", "off", ...standard];
  const [file, ...args] =
    build.installer.name === "uv"
      ? [build.installer.file, ...ofUv, ...what]
      : [python, ...ofPip, ...what];
  const command = installerCommand(build, file, args);
  const env = {
    ...command.env,
    ...(isForGood ? { UV_NO_EDITABLE: "1" } : {}),
    // What pip has built of a file it takes again, whatever is in that by now.
    ...(isFromMachine ? { PIP_NO_CACHE_DIR: "1" } : {}),
  };
  return { ...withVariables(build, { ...command, env }), cwd };
}

/**
 * With what the app's options let packages see of its variables. They come in within the box, as the builder: in the
 * environment of what root starts there some would have it run anything.
 */
function withVariables(build: Build, command: Command): Command {
  if (build.variables === "") return command;
  return beforehand(build, ["run", variablesIn(build.scratch)], command);
}

export function variablesIn(scratch: string): string {
  return join(scratch, "variables.json");
}

export function listPackages(build: Build): Command {
  const python = interpreterOf(build.environment);
  return build.installer.name === "uv"
    ? installerCommand(build, build.installer.file, ["pip", "freeze", "--python", python])
    : installerCommand(build, python, ["-m", "pip", "freeze"]);
}

export function interpreterOf(environment: string): string {
  return join(environment, "bin", "python");
}

/** Others' builds and apps see nothing of it, and what a build leaves there goes with it. */
export function temporaryIn(scratch: string): string {
  return join(scratch, "tmp");
}

/** Bytes of what is read as a whole: the list of packages. */
const longestOutput = 4 * 1024 * 1024;

/**
 * Indexes and proxies go by the environment, so that no credential stands in an argument that every
 * user of the machine can read; pip's own by `.netrc`, because it would hand them on in one. uv does not read pip's
 * configuration, so both get the same here.
 */
function installerCommand(build: Build, file: string, args: string[]): Command {
  const { sources, environment, workshop, scratch, variables } = build;
  const env: Record<string, string> = {
    HOME: scratch,
    TMPDIR: temporaryIn(scratch),
    // The folder of all apps: what a build works on is in no repository, whatever stands above reeve's.
    GIT_CEILING_DIRECTORIES: join(environment, "..", "..", ".."),
    // Installers keep what they have built by its source alone, whatever it has seen.
    PIP_CACHE_DIR: join(workshop, "pip", variables),
    PIP_CONFIG_FILE: "/dev/null",
    PIP_DISABLE_PIP_VERSION_CHECK: "1",
    PIP_NO_INPUT: "1",
    PYTHONUNBUFFERED: "1",
    UV_CACHE_DIR: join(workshop, "uv", variables),
    UV_LINK_MODE: "copy",
    UV_NO_CONFIG: "1",
    UV_NO_PROGRESS: "1",
    UV_PYTHON_DOWNLOADS: "never",
  };
  if (sources.index)
    Object.assign(env, {
      PIP_INDEX_URL: withoutUser(sources.index),
      UV_DEFAULT_INDEX: sources.index,
    });
  if (sources.extraIndex) {
    Object.assign(env, {
      PIP_EXTRA_INDEX_URL: withoutUser(sources.extraIndex),
      UV_INDEX: sources.extraIndex,
    });
  }
  if (sources.proxy) {
    Object.assign(env, {
      HTTP_PROXY: sources.proxy,
      HTTPS_PROXY: sources.proxy,
      http_proxy: sources.proxy,
      https_proxy: sources.proxy,
    });
  }
  if (sources.caFile) {
    Object.assign(env, {
      PIP_CERT: sources.caFile,
      SSL_CERT_FILE: sources.caFile,
      REQUESTS_CA_BUNDLE: sources.caFile,
    });
  }
  const { as, deadline } = build;
  const box = writingIn(build.box, environment, workshop);
  return { file, args, env, as, box, deadline, longestOutput, cwd: scratch };
}
