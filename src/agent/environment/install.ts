import { dirname, join } from "node:path";
import { environmentPath } from "../../names/instance.ts";
import { withoutCredentials } from "../../system/credentials.ts";
import { printable } from "../../system/lines.ts";
import {
  CommandFailed,
  type Command,
  type Identity,
  type RunOptions,
} from "../../system/system.ts";
import type { Coverage } from "../store/coverage.ts";
import { withEditable, withoutEditable } from "./coverage.ts";
import {
  installRequirements,
  listPackages,
  listTakenOver,
  makeEnvironment,
  settlePackages,
  surveyed,
  takeOver,
  treeIn,
  variablesIn,
  type Build,
} from "./environment-commands.ts";
import type { EnvironmentContext, EnvironmentRequest } from "./environment.ts";
import { netrcOf } from "./netrc.ts";
import { constraintsOf, variablesHash, type RequirementsFile } from "./requirements.ts";

/** Resolves to what `pip freeze` lists; undefined where it would be another one, had it begun with nothing. */
export async function install(
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
    isFromMachine: coverage.outside.length > 0,
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
