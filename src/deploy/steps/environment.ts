import { buildEnvironment, hasEnvironment } from "../../environment/environment.ts";
import {
  environmentHash,
  hasLocalPaths,
  type RequirementsFile,
} from "../../environment/requirements.ts";
import type { Deploy } from "../../store/agent-store.ts";
import { pathsOf, type DeployContext } from "../context.ts";
import { note, plural, type Preparation, type Step } from "../step.ts";

/** The virtualenv that the requirements ask for: built, or there already. */
export const environmentStep: Step = {
  name: "environment",
  run: async (preparation) => {
    const { context, deploy, instance } = preparation;
    const files = JSON.parse(deploy.requirements) as RequirementsFile[];
    const hash = hashOf(context, deploy, files);
    note(preparation, { environment: hash });
    if (await hasEnvironment(pathsOf(context, instance.name), hash)) return "unchanged";

    const packages = await build(preparation, hash, files);
    context.store.keepEnvironment(deploy.app, hash, packages);
    const count = packages.split("\n").filter(Boolean).length;
    return `built with ${context.installer.name}, ${plural(count, "package")}`;
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
    generation: store.generation(deploy.app) + (deploy.reason === "rebuild" ? 1 : 0),
  });
}

function build(
  { context, instance, deploy, line, signal }: Preparation,
  hash: string,
  files: RequirementsFile[],
): Promise<string> {
  const { server } = context.config;
  const paths = pathsOf(context, instance.name);
  return buildEnvironment(
    {
      host: context.host,
      paths,
      installer: context.installer,
      python: server.python,
      sources: {
        index: server.package_index,
        extraIndex: server.package_extra_index,
        proxy: server.package_proxy,
        caFile: server.package_ca_file,
      },
      appUser: context.identities.apps,
      deadline: server.build_deadline * 1000,
      signal,
      onLine: (text) => line(`    ${text}`),
    },
    {
      hash,
      files,
      release: `${paths.releases}/${deploy.newCommit}`,
      packages: context.store.environmentPackages(deploy.app, hash),
    },
  );
}
