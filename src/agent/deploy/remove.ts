import { readdir } from "node:fs/promises";
import { optionsFile, placeUrl, type Instance } from "../../names/instance.ts";
import { absentCommit, branchOf } from "../../names/names.ts";
import { UserError } from "../../errors.ts";
import { isPresent, removeFile } from "../../system/files.ts";
import { removeTrees } from "../../system/walker.ts";
import { unpinRelease } from "../release/release-commands.ts";
import type { Deploy, NewDeploy } from "../store/deploys.ts";
import { dropHeldIni } from "../vassal/vassal.ts";
import { removeVhost } from "../vhost/vhost.ts";
import { conclude } from "./conclude.ts";
import { gitOf, optionsOf, pathsOf, type DeployContext } from "../world/context.ts";
import { tidyEnvironments } from "../converge/prune.ts";
import { stepLine } from "./report.ts";
import { sweepPreviewsUser } from "../instance/app-users.ts";
import { tidySubmodules } from "../instance/submodules.ts";
import { permanentOf, retire, vassalsOf } from "../instance/vassals.ts";

/** Milliseconds that what is being answered may take when its instance is removed. */
const grace = 2000;

type NewRemoval = Pick<NewDeploy, "ref" | "oldCommit" | "account" | "holder"> & { subject: string };

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
 * would become that, and a branch that goes does not (`expectStays`): what is decided here holds until it is gone.
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

/** What somebody began to remove is no production by now: `PRODUCTION_DELETE`. */
export async function expectNotProduction(
  context: DeployContext,
  app: string,
  ref: string,
): Promise<void> {
  if (!(await isProduction(context, app, ref))) return;
  throw new UserError(
    "PRODUCTION_DELETE",
    `${branchOf(ref)} has become the production branch of ${app}: it is not deleted`,
  );
}

/** A branch is for what the right to it was judged for, production or not: `BRANCH_REFUSED` where that has changed. */
export async function expectUse(
  context: DeployContext,
  { app, ref, isPreview }: { app: string; ref: string; isPreview: boolean },
): Promise<void> {
  if (isPreview !== (await isProduction(context, app, ref))) return;
  throw new UserError(
    "BRANCH_REFUSED",
    `the production branch of ${app} was changed while this push was on its way`,
    { hint: "Push again, or repeat the command." },
  );
}

/** As it is now, whatever it was when a push of the branch began. */
async function isProduction(context: DeployContext, app: string, ref: string): Promise<boolean> {
  const { production_branch: production } = await optionsOf(context, app);
  return ref === `refs/heads/${production}`;
}

/** A branch that is about to go cannot become production: `REF_MOVED`. */
export function expectStays({ store }: DeployContext, app: string, branch: string): void {
  const isGoing = store.deploys
    .unfinished()
    .some(
      (deploy) =>
        deploy.app === app && deploy.reason === "removal" && deploy.ref === `refs/heads/${branch}`,
    );
  if (isGoing)
    throw new UserError("REF_MOVED", `${branch} of ${app} is being removed`, {
      hint: "Push it again, then set the option again.",
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
  return [stepLine("removed", row ? placeUrl(row.place, config.server.port) : "", took)];
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
  const { link, log } = pathsOf(context, instance);
  const permanent = permanentOf(context, instance);
  for (const vassal of [permanent, ...(await vassalsOf(context, instance))])
    await retire(context, vassal, { grace, waking: 0 });
  await dropHeldIni(permanent.ini);
  for (const path of [link, log]) await removeFile(path);
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
