import { readdir } from "node:fs/promises";
import { releasePath, submodulesPath, type Instance } from "../../names/instance.ts";
import { wholeTree } from "../../names/whole-tree.ts";
import { mebibyte } from "../../config/server-options.ts";
import { isPresent } from "../../system/files.ts";
import type { GroupName } from "../../system/control-groups.ts";
import { stagedCommit } from "../release/release.ts";
import type { Size } from "../release/size.ts";
import { putTogether, sweepSubmodules } from "../release/submodules.ts";
import type { Deploy } from "../store/deploys.ts";
import { buildLimits, gitOf, pathsOf, type DeployContext } from "../world/context.ts";

interface Wanted {
  context: DeployContext;
  deploy: Deploy;
  /** Whose release it becomes. */
  instance: Pick<Instance, "name">;
  line: (text: string) => void;
  signal: AbortSignal;
}

/**
 * Fetches the submodules of a deploy's commit, and puts them into its tree. One commit of an app at a time: what
 * one needs another one would remove.
 */
export async function provideSubmodules(wanted: Wanted, most: Size): Promise<void> {
  const { context, deploy, instance, line, signal } = wanted;
  const { system, config, groups, turns, identities } = context;
  const { newCommit: commit, app } = deploy;
  if (await isPresent(releasePath(pathsOf(context, instance.name), commit))) return;
  const folder = submodulesPath(config.layout, app);
  const { server } = config;
  const group: GroupName = `builds/submodules-${deploy.id}`;
  const { box, deadline } = buildLimits(config);
  const fetching = {
    hosts: server.submodule_hosts.split(" ").filter(Boolean),
    caFile: server.submodule_ca_file,
    proxy: server.package_proxy,
    box: { ...box, groups: system.isRoot ? groups.doorsOf(group) : [] },
    deadline,
    most: server.push_limit * mebibyte,
  };
  const own = { system, git: gitOf(context, app), folder, gitUser: identities.front };
  const work = async (): Promise<void> => {
    await sweepUnneeded(context, app);
    if (system.isRoot) await groups.provide(group, { memory: server.git_memory * mebibyte });
    try {
      await putTogether({ ...own, fetching, most, signal, onLine: line }, commit);
    } finally {
      if (system.isRoot) await groups.end(group);
    }
  };
  await turns.run(folder, work, signal);
}

/** What git is to read for a deploy's tree. */
export function treeOf(
  context: DeployContext,
  { app, newCommit }: Pick<Deploy, "app" | "newCommit">,
): ReturnType<typeof wholeTree> {
  return wholeTree(gitOf(context, app), submodulesPath(context.config.layout, app), newCommit);
}

/** Removes what was fetched for commits of which no release is left. `over`: a deploy that comes to nothing. */
export async function tidySubmodules(
  context: DeployContext,
  app: string,
  over?: Deploy,
): Promise<void> {
  const folder = submodulesPath(context.config.layout, app);
  await context.turns.run(folder, () => sweepUnneeded(context, app, over));
}

async function sweepUnneeded(context: DeployContext, app: string, over?: Deploy): Promise<void> {
  const { store, system, config } = context;
  const folder = submodulesPath(config.layout, app);
  if (!(await isPresent(folder))) return;
  const kept = new Set<string>();
  for (const deploy of store.deploys.unfinished())
    if (deploy.app === app && deploy.id !== over?.id) kept.add(deploy.newCommit);
  for (const { name } of store.instances.all().filter((row) => row.app === app)) {
    const paths = pathsOf(context, name);
    for (const commit of await readdir(paths.releases).catch(() => [])) kept.add(commit);
    const staged = await stagedCommit(paths);
    if (staged !== undefined) kept.add(staged);
  }
  await sweepSubmodules(system, folder, kept);
}
