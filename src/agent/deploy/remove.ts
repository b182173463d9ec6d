import { readdir } from "node:fs/promises";
import { optionsFile, placeUrl, type Instance } from "../../names/instance.ts";
import { visitedAt } from "../../config/visited.ts";
import { absentCommit, branchOf } from "../../names/names.ts";
import { isPresent } from "../../system/files.ts";
import { removeTrees } from "../../system/walker.ts";
import { unpinRelease } from "../release/release-commands.ts";
import type { Deploy, NewDeploy } from "../store/deploys.ts";
import type { InstanceRow } from "../store/instances.ts";
import { removeLog } from "../vassal/rotation.ts";
import { dropHeldIni } from "../vassal/vassal.ts";
import { removeVhost } from "../vhost/vhost.ts";
import { expectNotProduction } from "./branch-use.ts";
import { conclude } from "./conclude.ts";
import { expectHeld, expectRefUnmoved, lockFor } from "./locks.ts";
import { gitOf, pathsOf, type DeployContext } from "../world/context.ts";
import { tidyEnvironments } from "../converge/prune.ts";
import { stepLine } from "./report.ts";
import { sweepPreviewsUser } from "../instance/app-users.ts";
import { tidySubmodules } from "../instance/submodules.ts";
import { permanentOf, removeLink, retire, vassalsOf } from "../instance/vassals.ts";

/** Milliseconds that what is being answered may take when its instance is removed. */
const grace = 2000;

type NewRemoval = Pick<NewDeploy, "ref" | "oldCommit" | "account" | "holder"> & { subject: string };

/**
 * A branch is about to go. Its preview stays until it is gone; here it is only locked, and the removal
 * written down. Resolves to nothing where the branch is not on the air.
 */
export async function prepareRemoval(
  context: DeployContext,
  request: Pick<NewDeploy, "app" | "ref" | "oldCommit" | "account" | "holder">,
  say: (line: string) => void,
): Promise<Deploy | undefined> {
  const { store } = context;
  const find = (): InstanceRow | undefined =>
    store.instances.get(store.previews.of(request.app, branchOf(request.ref))?.instance ?? "");
  const row = find();
  if (!row) return undefined;
  await lockFor(context, row.name, { holder: request.holder, say });
  if (find()?.name !== row.name) return undefined;
  await expectRefUnmoved(context, request);
  expectHeld(context, row.name, request.holder);
  return startBranchRemoval(context, row, { ...request, subject: "the branch is gone" });
}

/** Writes down that a preview goes: a deploy of no commit, with a record like any other. */
export function startRemoval(
  { store }: DeployContext,
  instance: Instance,
  { subject, ...removal }: NewRemoval,
): Deploy {
  const deploy = store.deploys.start({
    ...removal,
    app: instance.app,
    instance: instance.name,
    reason: "removal",
    newCommit: absentCommit,
  });
  store.deploys.change(deploy.id, { state: "proven", subject });
  return { ...deploy, state: "proven" };
}

/**
 * The same where its branch is to go as well. Whether that is production by now is asked in the turn in which it
 * would become that, and a branch that goes does not (`expectBranchStays`): what is decided here holds until it is gone.
 */
export function startBranchRemoval(
  context: DeployContext,
  instance: Instance,
  removal: NewRemoval,
): Promise<Deploy> {
  const { app } = instance;
  return context.turns.run(optionsFile(context.config.layout, app), async () => {
    await expectNotProduction(context, app, removal.ref);
    return startRemoval(context, instance, removal);
  });
}

/** The branch is gone, and its preview goes after it. */
export async function confirmRemoval(context: DeployContext, deploy: Deploy): Promise<string[]> {
  const { store, config } = context;
  const row = store.instances.get(deploy.instance);
  await removeInstance(context, { name: deploy.instance, app: deploy.app });
  await sweepPreviewsUser(context, deploy.app).catch((error: unknown) =>
    context.log.error({ err: error, app: deploy.app }, "could not remove what previews left"),
  );
  const took = conclude(context, deploy, { state: "removed" });
  return [stepLine("removed", row ? placeUrl(row.place, visitedAt(config.server)) : "", took)];
}

/**
 * Takes an instance off the air and removes everything that it left, on disk and in the store; the record of
 * its deploys stays. Whoever calls has its lock. Done again after it was broken off, it removes the rest.
 */
export async function removeInstance(
  context: DeployContext,
  instance: { name: string; app: string },
): Promise<void> {
  const { background, store } = context;
  const { name } = instance;
  background.supersede(name);
  await background.idle(name);

  await removeFromNginx(context, name);
  await removeLog(pathsOf(context, name).accessLog);
  await removeVassals(context, name);
  await removeFolders(context, instance);
  store.instances.putBack(name, undefined);
  store.previews.forget(name);
  // Only now is its environment one that nobody needs.
  if (await isPresent(pathsOf(context, name).environments))
    await tidyEnvironments(context, instance);
}

async function removeFromNginx(context: DeployContext, instance: string): Promise<void> {
  // Before it has its place, nginx has not heard of it.
  if (!context.store.instances.get(instance)) return;
  await removeVhost(context.system, context.nginx, instance);
}

async function removeVassals(context: DeployContext, instance: string): Promise<void> {
  const vassals = [permanentOf(context, instance), ...(await vassalsOf(context, instance))];
  for (const vassal of vassals) {
    await retire(context, vassal, { grace, waking: 0 });
    await dropHeldIni(vassal.ini);
  }
  // An understudy's is added to its instance's when it ends.
  for (const { log } of vassals) await removeLog(log);
  await removeLink(context, instance);
}

async function removeFolders(
  context: DeployContext,
  instance: { name: string; app: string },
): Promise<void> {
  const paths = pathsOf(context, instance.name);
  for (const commit of await readdir(paths.releases).catch(() => []))
    await context.system.run(unpinRelease(gitOf(context, instance.app), instance.name, commit));
  await removeTrees(context.system, paths.own, paths.folder);
  await tidySubmodules(context, instance.app);
}
