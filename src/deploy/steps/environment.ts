import { environmentPath, releasePath } from "../../app/instance.ts";
import { isPreviewName } from "../../app/names.ts";
import {
  buildEnvironment,
  copyEnvironment,
  hasEnvironment,
  type EnvironmentContext,
} from "../../environment/environment.ts";
import {
  environmentHash,
  hasLocalPaths,
  type RequirementsFile,
} from "../../environment/requirements.ts";
import type { Builder } from "../../environment/workshop.ts";
import type { Deploy } from "../../store/agent-store.ts";
import { buildLimits, pathsOf, requirementsOf, runnerOf, type DeployContext } from "../context.ts";
import { note, plural, type Preparation, type Step } from "../step.ts";

/** The virtualenv that the requirements ask for: built, copied from production's, or there already. */
export const environmentStep: Step = {
  name: "environment",
  run: async (preparation) => {
    const { context, deploy, instance } = preparation;
    const files = requirementsOf(context, deploy);
    const hash = hashOf(context, deploy, files);
    const paths = pathsOf(context, instance.name);
    // In turn with those who remove what nobody has written down: previews share theirs.
    const isThere = await context.turns.run(paths.environments, () => {
      note(preparation, { environment: hash });
      return hasEnvironment(paths, hash);
    });
    if (isThere) return "unchanged";
    // Each by itself: one that hangs keeps nobody but those who want the same one.
    const provide = async (): Promise<string> => {
      if (await hasEnvironment(paths, hash)) return "unchanged";
      return (await takeFromProduction(preparation, hash)) ?? build(preparation, hash, files);
    };
    return context.turns.run(environmentPath(paths, hash), provide, preparation.signal);
  },
  // A build that failed has taken itself back; one that is complete saves the next push its time.
  undo: () => Promise.resolve(),
};

function hashOf(context: DeployContext, deploy: Deploy, files: RequirementsFile[]): string {
  const { config, store, installer } = context;
  return environmentHash({
    files,
    tree: hasLocalPaths(files) ? deploy.newCommit : undefined,
    abi: context.abi,
    installer: installer.name,
    indexes: [config.server.package_index, config.server.package_extra_index],
    generation:
      store.generation(deploy.app, isPreviewName(deploy.instance)) +
      (deploy.reason === "rebuild" ? 1 : 0),
  });
}

/** A preview may have production's. Never the other way: what a preview builds, a branch's author wrote. */
async function takeFromProduction(
  { context, instance }: Preparation,
  hash: string,
): Promise<string | undefined> {
  const from = pathsOf(context, instance.app);
  if (!isPreviewName(instance.name) || !(await hasEnvironment(from, hash))) return undefined;
  const { host } = context;
  const isCopied = await copyEnvironment(
    { host, paths: pathsOf(context, instance.name), appUser: runnerOf(context, instance.name) },
    environmentPath(from, hash),
    hash,
  );
  if (!isCopied) return undefined;
  const packages = context.store.environmentPackages(instance.app, hash) ?? "";
  return `copied from production's, ${plural(countOf(packages), "package")}`;
}

/** With a builder of its own; where all of them build just now, the push says what it waits for. */
async function build(
  preparation: Preparation,
  hash: string,
  files: RequirementsFile[],
): Promise<string> {
  const { context, instance, deploy, line, signal } = preparation;
  const { builders, store, installer } = context;
  // Production is never held to the versions that a preview's build has told of.
  const kept = isPreviewName(instance.name) ? `preview ${hash}` : hash;
  const request = {
    hash,
    files,
    release: releasePath(pathsOf(context, instance.name), deploy.newCommit),
    packages: store.environmentPackages(deploy.app, kept),
  };
  const onWait = (): void =>
    line(`reeve: ${plural(builders.count, "build")} at once is what there may be: this one waits`);
  const packages = await builders.use({ onWait, signal }, (builder) =>
    buildEnvironment(buildContext(preparation, builder), request),
  );
  store.keepEnvironment(deploy.app, kept, packages);
  return `built with ${installer.name}, ${plural(countOf(packages), "package")}`;
}

function buildContext(
  { context, instance, line, signal }: Preparation,
  builder: Builder,
): EnvironmentContext {
  const { config, host, installer } = context;
  const { server } = config;
  const { box, deadline } = buildLimits(config);
  return {
    host,
    paths: pathsOf(context, instance.name),
    installer,
    python: server.python,
    sources: {
      index: server.package_index,
      extraIndex: server.package_extra_index,
      proxy: server.package_proxy,
      caFile: server.package_ca_file,
    },
    appUser: runnerOf(context, instance.name),
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
