import { stat } from "node:fs/promises";
import {
  environmentPath,
  releasePath,
  type Instance,
  type InstancePaths,
} from "../../../names/instance.ts";
import { isPreviewName } from "../../../names/names.ts";
import { mebibyte } from "../../../config/server-options.ts";
import { nearestBasis, originOf } from "../../environment/basis.ts";
import { beginEarly, clearBeginning } from "../../environment/begin.ts";
import { buildEnvironment, copyEnvironment } from "../../environment/build.ts";
import {
  hasEnvironment,
  listEnvironments,
  type Basis,
  type Beginning,
  type EnvironmentContext,
} from "../../environment/environment.ts";
import { coveredWith, filesCovered, nothingCovered } from "../../environment/coverage.ts";
import { pip, type Installer } from "../../environment/environment-commands.ts";
import {
  environmentHash,
  type EnvironmentInputs,
  type RequirementsFile,
} from "../../environment/requirements.ts";
import { contentsOf, describeCommit, type Where } from "../../environment/tree-contents.ts";
import { UserError } from "../../../errors.ts";
import { CommandFailed } from "../../../system/system.ts";
import { boundCaches, type Builder } from "../../environment/workshop.ts";
import type { Coverage } from "../../store/coverage.ts";
import type { Deploy } from "../../store/deploys.ts";
import type { Origin } from "../../store/environments.ts";
import {
  buildLimits,
  pathsOf,
  userOf,
  variablesSource,
  type DeployContext,
} from "../../world/context.ts";
import { changedVariables, readVariables } from "../../variables/variables.ts";
import { coverageOf } from "./coverage.ts";
import { builderWanted, note, plural, type Preparation, type Step } from "../step.ts";
import { treeOf } from "../../instance/submodules.ts";

/** The virtualenv that the requirements ask for: built, copied from production's, or there already. */
export const environmentStep: Step = {
  name: "environment",
  run: async (preparation) => {
    const { context, deploy } = preparation;
    const files = context.store.requirements.of(deploy);
    const installer = installerOf(preparation);
    const variables = await variablesOf(preparation);
    const likely = { files, coverage: nothingCovered, installer, variables };
    let beginning: Beginning | undefined;
    const begin = async (builder: Builder): Promise<void> => {
      beginning = await beginLikely(preparation, likely, builder);
    };
    try {
      const read = await coverageOf(preparation, files, begin);
      const coverage = files.length > 0 ? coveredWith(read, variables) : read;
      const wanted = { ...likely, files: filesCovered(files, coverage), coverage };
      return await provide(preparation, wanted, beginning);
    } finally {
      if (beginning) await clear(context, beginning);
    }
  },
  // A build that failed has taken itself back; one that is complete saves the next push its time.
  undo: () => Promise.resolve(),
};

/**
 * Lays out what the environment will most likely begin with, while pip's parser looks through the requirements: both
 * take their time, and what is reached in the tree changes the basis only rarely.
 */
async function beginLikely(
  preparation: Preparation,
  likely: Wanted,
  builder: Builder,
): Promise<Beginning | undefined> {
  const { context, deploy, instance } = preparation;
  const { system, log } = context;
  // Without root nobody would take back what a crash leaves of it.
  if (!system.isRoot) return undefined;
  try {
    const basis = await basisOf(preparation, likely);
    const paths = pathsOf(context, instance.name);
    return basis && (await beginEarly({ system, paths, builder }, basis.hash, String(deploy.id)));
  } catch (error) {
    log.error({ err: error, deploy: deploy.id }, "could not begin an environment early");
    return undefined;
  }
}

async function clear({ system, log }: DeployContext, beginning: Beginning): Promise<void> {
  await clearBeginning(system, beginning).catch((error: unknown) =>
    log.error({ err: error, ...beginning }, "could not clear what an environment would begin with"),
  );
}

async function provide(
  preparation: Preparation,
  wanted: Wanted,
  beginning: Beginning | undefined,
): Promise<string> {
  const { context, instance, signal } = preparation;
  const hash = await hashOf(preparation, wanted);
  const paths = pathsOf(context, instance.name);
  // In turn with those who remove what nobody has written down: previews share theirs.
  const isThere = await context.turns.run(paths.environments, () => {
    note(preparation, { environment: hash });
    return hasEnvironment(paths, hash);
  });
  if (isThere) return "unchanged";
  const make = async (): Promise<string> => {
    if (await hasEnvironment(paths, hash)) return "unchanged";
    const taken = await takeFromProduction(preparation, hash);
    return taken ?? build(preparation, hash, wanted, beginning);
  };
  // Each by itself: one that hangs keeps nobody but those who want the same one.
  return context.turns.run(environmentPath(paths, hash), make, signal);
}

interface Wanted {
  files: RequirementsFile[];
  coverage: Coverage;
  installer: Installer;
  variables: Record<string, string>;
}

/** Of the variables that the app will have, those that its options let builds see. */
async function variablesOf(preparation: Preparation): Promise<Record<string, string>> {
  const { context, instance, options, variables: change } = preparation;
  const names = options.build_variables.split(" ").filter(Boolean);
  if (names.length === 0) return {};
  const current = await readVariables(variablesSource(context, instance, options));
  const variables = change ? changedVariables(current, change) : current;
  return Object.fromEntries([...variables].filter(([name]) => names.includes(name)));
}

/** The server's, unless the app's options name another one. */
function installerOf({ context: { installer }, options }: Preparation): Installer {
  const { installer: wanted } = options;
  if (wanted === "" || wanted === installer.name) return installer;
  if (wanted === pip.name) return pip;
  throw new UserError("OPTION_INVALID", 'installer = "uv": this server has no uv', {
    hint: "Have pip install: reeve options APP set installer=pip",
  });
}

async function hashOf(preparation: Preparation, wanted: Wanted): Promise<string> {
  const { context, deploy } = preparation;
  const { coverage } = wanted;
  const contents = await contentsOf(await whereOf(preparation), coverage);
  // What is edited in a release names it by its path, which is another one for each instance; and a package of the tree
  // may ask for others of it to be edited.
  const isBound = coverage.local.length > 0;
  const tree = isBound ? `${contents} of ${deploy.instance}` : contents;
  return environmentHash({ ...inputsOf(context, deploy, wanted), tree });
}

async function whereOf({ context, deploy, signal }: Preparation): Promise<Where> {
  const whole = await treeOf(context, deploy);
  return { system: context.system, ...whole, commit: deploy.newCommit, signal };
}

/** What it is built from, but for the tree. */
function inputsOf(
  { config, store, abi }: DeployContext,
  deploy: Deploy,
  { files, installer, variables }: Wanted,
): Omit<EnvironmentInputs, "tree"> {
  return {
    files,
    abi,
    installer: installer.name,
    indexes: [config.server.package_index, config.server.package_extra_index],
    variables,
    generation:
      store.apps.generation(deploy.app, isPreviewName(deploy.instance)) +
      (deploy.reason === "rebuild" ? 1 : 0),
  };
}

/** A preview may have production's. Never the other way: what a preview builds, a branch's author wrote. */
async function takeFromProduction(
  { context, instance }: Preparation,
  hash: string,
): Promise<string | undefined> {
  const from = pathsOf(context, instance.app);
  if (!isPreviewName(instance.name) || !(await hasEnvironment(from, hash))) return undefined;
  const { system } = context;
  const isCopied = await copyEnvironment(
    { system, paths: pathsOf(context, instance.name), appUser: userOf(context, instance.name) },
    environmentPath(from, hash),
    hash,
  );
  if (!isCopied) return undefined;
  const packages = context.store.environments.packages(instance.app, hash) ?? "";
  const origin = context.store.environments.origin(instance.app, hash);
  context.store.environments.keep(instance.app, keptAs(instance, hash), packages, origin);
  return `copied from production's, ${plural(countOf(packages), "package")}`;
}

/** With a builder of its own. */
async function build(
  preparation: Preparation,
  hash: string,
  wanted: Wanted,
  beginning: Beginning | undefined,
): Promise<string> {
  const { context, instance, deploy, line } = preparation;
  const { builders, store } = context;
  const { files, coverage, installer, variables } = wanted;
  const origin = originOf(hash, inputsOf(context, deploy, wanted));
  const kept = keptAs(instance, hash);
  const request = {
    ...{ hash, files, coverage, variables, beginning },
    release: releasePath(pathsOf(context, instance.name), deploy.newCommit),
    packages: store.environments.packages(deploy.app, kept),
    described:
      coverage.local.length > 0
        ? await describeCommit(await whereOf(preparation), preparation.tags)
        : "",
    basis: await basisOf(preparation, wanted),
  };
  for (const path of coverage.outside)
    line(`reeve: ${path} is not in the repository: when it changes, reeve rebuild takes it anew`);
  const packages = await builders
    .use(
      builderWanted(preparation),
      (builder) => buildEnvironment({ ...buildContext(preparation, builder), installer }, request),
      (builder) => tidyCaches(context, builder, pathsOf(context, instance.name)),
    )
    .catch((error: unknown) => {
      throw withForms(error, wanted);
    });
  store.environments.keep(deploy.app, kept, packages, origin);
  return `built with ${installer.name}, ${plural(countOf(packages), "package")}`;
}

async function basisOf(preparation: Preparation, wanted: Wanted): Promise<Basis | undefined> {
  const { context, deploy } = preparation;
  const inputs = inputsOf(context, deploy, wanted);
  const { coverage } = wanted;
  return nearestBasis(await originsThere(preparation), originOf("", inputs), {
    ...inputs,
    coverage,
  });
}

/**
 * Where uv failed, and a line of the requirements is one that only pip takes, that is what to do about it. So it may
 * be where uv says of a line that it cannot read it: an address without a suffix, or `>=1.*`.
 */
function withForms(error: unknown, { coverage: { forms }, installer }: Wanted): unknown {
  if (!(error instanceof UserError) || installer.name !== "uv") return error;
  const { cause, code, message } = error;
  const isUnread =
    cause instanceof CommandFailed && cause.output.includes("Couldn't parse requirement");
  const [form] = forms;
  if (!form && !isUnread) return error;
  const where = form && `\n${form.path}, line ${form.line}: ${form.text}`;
  return new UserError(code, `${message}${where ?? ""}`, {
    cause: error,
    hint: `pip may take that line, which uv reads in another way: reeve options APP set installer=pip, and push again.`,
  });
}

/** When the build is over: its push goes on meanwhile. */
async function tidyCaches(
  { system, config, log }: DeployContext,
  builder: Builder,
  { environments }: InstancePaths,
): Promise<void> {
  const most = config.server.build_cache * mebibyte;
  await boundCaches({ system, builder }, environments, most).catch((error: unknown) =>
    log.error({ err: error, environments }, "could not empty an installer's cache"),
  );
}

/** Production is never held to the versions that a preview's build has told of. */
function keptAs({ name }: Instance, hash: string): string {
  return isPreviewName(name) ? `preview ${hash}` : hash;
}

/** Of the environments on disk that the instance may have, the last to be built first. */
async function originsThere({ context, instance }: Preparation): Promise<Origin[]> {
  const paths = pathsOf(context, instance.name);
  const found: { origin: Origin; built: number }[] = [];
  for (const hash of await listEnvironments(paths)) {
    const origin = context.store.environments.origin(instance.app, keptAs(instance, hash));
    const look = await stat(environmentPath(paths, hash)).catch(() => undefined);
    if (origin && look) found.push({ origin, built: look.mtimeMs });
  }
  return found.sort((one, other) => other.built - one.built).map(({ origin }) => origin);
}

function buildContext(
  { context, instance, line, signal }: Preparation,
  builder: Builder,
): Omit<EnvironmentContext, "installer"> {
  const { config, system } = context;
  const { server } = config;
  const { box, deadline } = buildLimits(config);
  return {
    system,
    paths: pathsOf(context, instance.name),
    python: server.python,
    sources: {
      index: server.package_index,
      extraIndex: server.package_extra_index,
      proxy: server.package_proxy,
      caFile: server.package_ca_file,
    },
    appUser: userOf(context, instance.name),
    builder,
    box: { ...box, groups: builder.groups },
    deadline,
    signal,
    onLine: (text) => line(`    ${text}`),
  };
}

function countOf(packages: string): number {
  return packages.split("\n").filter(Boolean).length;
}
