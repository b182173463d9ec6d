import { readdir } from "node:fs/promises";
import { deployLogPath, placeUrl, type Instance } from "../app/instance.ts";
import { absentCommit, shortCommit } from "../app/names.ts";
import { isUntouched } from "../app/signature.ts";
import type { AppOptions } from "../config/app-options.ts";
import { listenAddresses } from "../config/config.ts";
import { buildEnvironment, hasEnvironment } from "../environment/environment.ts";
import {
  environmentHash,
  hasLocalPaths,
  type RequirementsFile,
} from "../environment/requirements.ts";
import { asUserError, describeError, UserError, type ErrorCode } from "../errors.ts";
import { readRef } from "../host/git.ts";
import { readIfPresent } from "../host/files.ts";
import { countChanges, makeRelease, pin, takeBackRelease } from "../release/release.ts";
import {
  adoptSettings,
  changedSettings,
  dropProposedSettings,
  proposedSettings,
  readSettings,
  writeSettings,
  type SettingsChange,
} from "../settings/settings.ts";
import type { Deploy, DeployReason, Holder, InstanceRow } from "../store/agent-store.ts";
import { reasonOfFailure, tailOfLog } from "../vassal/app-log.ts";
import { installIni, proveHealthy, provideLog } from "../vassal/vassal.ts";
import { installVhost, removeVhost, restoreVhost, vhostText } from "../vhost/vhost.ts";
import {
  gitOf,
  optionsOf,
  pathsOf,
  productionInstance,
  releaseContext,
  type DeployContext,
} from "./context.ts";
import { DeployReport, Undoing } from "./report.ts";
import {
  discardUnderstudy,
  healthCheck,
  planIni,
  understudyOf,
  understudyText,
  type PlannedIni,
} from "./understudy.ts";

export interface DeployRequest {
  app: string;
  ref: string;
  oldCommit: string;
  newCommit: string;
  subject: string;
  account: string;
  reason: DeployReason;
  holder: Holder;
  proposal: Proposal;
  /** The app's settings are changed by this deploy, and stay as they are where it is refused. */
  settings?: SettingsChange | undefined;
}

/** What the repository asks for, as the front read it; or why it could not be read. */
export type Proposal =
  | { module: string; requirements: RequirementsFile[] }
  | { problem: { code: ErrorCode; message: string; hint: string } };

/**
 * Builds a release, and proves it, beside the one that is on the air. Nothing of what visitors get has
 * changed when this resolves: that is `switchDeploy`, at the moment the ref moves. When a step fails, all
 * the steps before it are taken back and the reason is said, with what is still on the air.
 */
export async function prepareDeploy(
  context: DeployContext,
  request: DeployRequest,
  say: (line: string) => void,
): Promise<Deploy> {
  const { store, config } = context;
  const report = new DeployReport(store, say);
  const undoing = new Undoing();
  let deploy: Deploy | undefined;
  try {
    const options = await optionsOf(context, request.app);
    const instance = productionInstance(context, request.app, options);
    expectProductionBranch(request, options);
    store.expectPlaceFree(instance);

    await context.locks.take(instance.name, request.holder, () =>
      sayWhoDeploys(context, instance, say),
    );
    await expectRefUnmoved(context, request);
    await context.settler.tidied(instance.name);

    const { proposal } = request;
    const { module, requirements } =
      "problem" in proposal ? { module: "", requirements: [] } : proposal;
    deploy = store.startDeploy({
      ...request,
      instance: instance.name,
      module,
      requirements: JSON.stringify(requirements),
    });
    report.keep(deploy.id, deployLogPath(config.layout, deploy.app, deploy.number));
    report.line(
      `reeve: ${deploy.app} ${shortCommit(deploy.newCommit)} "${deploy.subject}" by ${deploy.account}`,
    );

    if ("problem" in proposal) {
      throw new UserError(proposal.problem.code, proposal.problem.message, proposal.problem);
    }

    await prepare({ context, report, undoing, options, instance }, deploy, request);
    store.changeDeploy(deploy.id, { state: "proven" });
    return store.deploy(deploy.id) as Deploy;
  } catch (error) {
    for (const failure of await undoing.run()) context.log.error(failure, "could not undo a step");
    const told = asUserError(error);
    if (told.code === "INTERNAL")
      context.log.error({ err: error }, "a deploy failed by a mistake of reeve's");
    for (const line of describeError(told)) report.line(line.replace(/\bAPP\b/g, request.app));
    report.line(onTheAir(context, request.app));
    told.said = true;
    if (deploy) recordRefusal(context, deploy, told);
    throw told;
  }
}

interface Preparation {
  context: DeployContext;
  report: DeployReport;
  undoing: Undoing;
  options: AppOptions;
  instance: Instance;
}

/** The story, in order; what takes a step back stands beside it. */
async function prepare(
  preparation: Preparation,
  deploy: Deploy,
  request: DeployRequest,
): Promise<void> {
  const { context, report, undoing, options, instance } = preparation;
  const { store } = context;

  await report.step(
    "release",
    async () => {
      const releases = releaseContext(context, instance);
      const [{ made }, changed] = await Promise.all([
        makeRelease(releases, deploy.newCommit),
        countChanges(releases, deploy.oldCommit, deploy.newCommit),
      ]);
      if (made) undoing.add("release", () => takeBackRelease(releases, deploy.newCommit));
      return { made, changed };
    },
    ({ made, changed }) =>
      made ? `checked out, ${plural(changed, "file")} changed` : "on disk already",
  );

  const requirements = JSON.parse(deploy.requirements) as RequirementsFile[];
  const environment = await report.step(
    "environment",
    () => provideEnvironment(preparation, deploy, requirements),
    ({ built, count }) =>
      built === undefined ? "unchanged" : `built with ${built}, ${plural(count, "package")}`,
  );
  store.changeDeploy(deploy.id, { environment: environment.hash });

  const built = { ...deploy, environment: environment.hash };
  const planned = await planIni(context, { instance, deploy: built, options });
  if (planned.edited)
    report.line("  vassal       edited by hand: left as it is, and proven as it is");
  if (request.settings) {
    await proposeSettings(context, instance, request.settings);
    undoing.add("settings", () => dropProposedSettings(pathsOf(context, instance.name).settings));
  }
  undoing.add("understudy", () =>
    discardUnderstudy(context, understudyOf(context, instance.name, deploy.number)),
  );
  await report.step(
    "understudy",
    () => bootUnderstudy(preparation, built, planned),
    (status) => `healthy (GET ${options.health_path} ${status})`,
  );

  const former = store.instance(instance.name);
  store.placeInstance(instance);
  undoing.add("place", () => {
    store.replaceInstance(instance.name, former);
    return Promise.resolve();
  });
  await provideVhost(preparation);
}

/** Moves the traffic to the proven release. The ref moves right after: keep this to one rename. */
export async function switchDeploy(context: DeployContext, id: number): Promise<void> {
  const deploy = expectDeploy(context, id);
  if (deploy.state !== "proven") throw new Error(`deploy ${id} is ${deploy.state}, not proven`);

  context.settler.supersede(deploy.instance);
  context.store.changeDeploy(id, { state: "switched" });
  const { link } = pathsOf(context, deploy.instance);
  await context.settler.traffic.lead(
    link,
    understudyOf(context, deploy.instance, deploy.number).socket,
  );
}

/** The ref has moved: the release is live, and the permanent vassal follows behind the understudy. */
export async function confirmDeploy(context: DeployContext, id: number): Promise<string[]> {
  const deploy = expectDeploy(context, id);
  if (deploy.state !== "switched") return [];
  const { store, config } = context;
  const row = store.instance(deploy.instance) as InstanceRow;
  const took = await recordLive(context, deploy);

  const said: string[] = [];
  const report = new DeployReport(store, (line) => said.push(line));
  report.keepLog(deployLogPath(config.layout, deploy.app, deploy.number));
  report.stepTook("live", placeUrl(row.place, config.server.port), took);

  await pin(releaseContext(context, row), deploy.newCommit).catch((error: unknown) =>
    context.log.error({ err: error }, "could not pin the release"),
  );
  context.settler.start(row.name, id);
  return said;
}

/**
 * The process that carried a push is gone, and with it every doubt: where its ref has moved, the deploy is
 * live; where it has not, the traffic goes back to what the ref says.
 */
export async function judgeHolder(context: DeployContext, holder: Holder): Promise<void> {
  try {
    for (const deploy of context.store.unfinishedOf(holder)) await judgeDeploy(context, deploy);
  } finally {
    context.locks.release(holder);
  }
}

/** Writes down that the deploy is on the air, with its settings. Resolves to the milliseconds it took. */
export async function recordLive(context: DeployContext, deploy: Deploy): Promise<number> {
  const gone = await adoptSettings(pathsOf(context, deploy.instance).settings);
  if (gone.length > 0)
    context.store.changeInstance(deploy.instance, { gone: JSON.stringify(gone) });
  if (deploy.reason === "rebuild") context.store.raiseGeneration(deploy.app);
  const now = new Date();
  const took = Math.max(0, now.getTime() - new Date(deploy.startedAt).getTime());
  context.store.changeDeploy(deploy.id, {
    state: "live",
    liveAt: now.toISOString(),
    milliseconds: took,
  });
  context.store.changeInstance(deploy.instance, { live: deploy.id });
  return took;
}

export async function judgeDeploy(context: DeployContext, deploy: Deploy): Promise<void> {
  if (await hasGoneThrough(context, deploy)) {
    await confirmDeploy(context, deploy.id);
    return;
  }
  await revertDeploy(context, deploy);
}

/** Takes back a deploy that was proven, or even switched, and whose ref did not move. */
async function revertDeploy(context: DeployContext, deploy: Deploy): Promise<void> {
  const { store } = context;
  const row = store.instance(deploy.instance);
  const { link, socket, settings } = pathsOf(context, deploy.instance);
  if (deploy.state === "switched" && row) {
    const live = row.live === null ? undefined : store.deploy(row.live);
    if (live && row.settled !== row.live) {
      await context.settler.traffic.lead(link, understudyOf(context, row.name, live.number).socket);
    } else {
      await context.settler.traffic.lead(link, socket);
    }
  }
  await discardUnderstudy(context, understudyOf(context, deploy.instance, deploy.number));
  await dropProposedSettings(settings);
  recordRefusal(context, deploy, new UserError("REF_MOVED", `git did not move ${deploy.ref}`));
  if (row?.live && row.settled !== row.live) context.settler.start(row.name, row.live);
  if (row?.live === null) await takeBackPlace(context, row);
  await context.settler.tidy(deploy.instance);
}

/** The first deploy of all did not go through: its host is nobody's again. */
async function takeBackPlace(context: DeployContext, row: InstanceRow): Promise<void> {
  const { site, siteLink } = pathsOf(context, row.name);
  await removeVhost(context.host, context.nginx, { available: site, enabled: siteLink });
  context.store.replaceInstance(row.name, undefined);
}

/** A redeploy's ref stands where it stood, so its switch must have happened as well. */
export async function hasGoneThrough(context: DeployContext, deploy: Deploy): Promise<boolean> {
  return (
    deploy.state === "switched" &&
    (await currentCommit(context, deploy.app, deploy.ref)) === deploy.newCommit
  );
}

async function currentCommit(context: DeployContext, app: string, ref: string): Promise<string> {
  const commit = await context.host.run(readRef(gitOf(context, app), ref));
  return commit.trim() || absentCommit;
}

function expectDeploy(context: DeployContext, id: number): Deploy {
  const deploy = context.store.deploy(id);
  if (!deploy) throw new UserError("DEPLOY_UNKNOWN", `there is no deploy with the id ${id}`);
  return deploy;
}

function expectProductionBranch(request: DeployRequest, options: AppOptions): void {
  if (request.ref === `refs/heads/${options.production_branch}`) return;
  throw new UserError(
    "BRANCH_REFUSED",
    `${request.ref} is not ${request.app}'s production branch, ${options.production_branch}`,
  );
}

async function expectRefUnmoved(context: DeployContext, request: DeployRequest): Promise<void> {
  const current = await currentCommit(context, request.app, request.ref);
  if (current === request.oldCommit) return;
  throw new UserError(
    "REF_MOVED",
    `${request.ref} moved to ${shortCommit(current)} while this push waited`,
  );
}

function sayWhoDeploys(
  context: DeployContext,
  instance: Instance,
  say: (line: string) => void,
): void {
  const [running] = context.store.deploys(instance.app, 1);
  say(
    `reeve: ${running?.account ?? "somebody"} is deploying ${instance.app} just now; this push waits for its turn`,
  );
}

export function recordRefusal(context: DeployContext, deploy: Deploy, error: UserError): void {
  const took = Date.now() - new Date(deploy.startedAt).getTime();
  context.store.changeDeploy(deploy.id, {
    state: "refused",
    error: describeError(error).join("\n"),
    milliseconds: Math.max(0, took),
  });
}

function onTheAir(context: DeployContext, instance: string): string {
  const row = context.store.instance(instance);
  const live = row?.live ? context.store.deploy(row.live) : undefined;
  if (!row || !live) return `reeve: refused; ${instance} has never been on the air`;
  return `reeve: refused; still on the air: ${shortCommit(live.newCommit)} "${live.subject}"`;
}

function plural(count: number, noun: string): string {
  return `${count} ${noun}${count === 1 ? "" : "s"}`;
}

async function provideEnvironment(
  { context, report, instance }: Preparation,
  deploy: Deploy,
  files: RequirementsFile[],
): Promise<{ hash: string; built: string | undefined; count: number }> {
  const { config, store, installer } = context;
  const { server } = config;
  const paths = pathsOf(context, instance.name);
  const hash = environmentHash({
    files,
    tree: hasLocalPaths(files) ? deploy.newCommit : undefined,
    abi: context.abi,
    installer: installer.name,
    indexes: [server.package_index, server.package_extra_index],
    generation: store.generation(deploy.app) + (deploy.reason === "rebuild" ? 1 : 0),
  });
  if (await hasEnvironment(paths, hash)) return { hash, built: undefined, count: 0 };

  const packages = await buildEnvironment(
    {
      host: context.host,
      paths,
      installer,
      python: server.python,
      sources: {
        index: server.package_index,
        extraIndex: server.package_extra_index,
        proxy: server.package_proxy,
        caFile: server.package_ca_file,
      },
      appUser: context.identities.apps,
      deadline: server.build_deadline * 1000,
      onLine: (line) => report.line(`    ${line}`),
    },
    {
      hash,
      files,
      release: `${paths.releases}/${deploy.newCommit}`,
      packages: store.environmentPackages(deploy.app, hash),
    },
  );
  store.keepEnvironment(deploy.app, hash, packages);
  return { hash, built: installer.name, count: packages.split("\n").filter(Boolean).length };
}

async function proposeSettings(
  context: DeployContext,
  instance: Instance,
  change: SettingsChange,
): Promise<void> {
  const { settings } = pathsOf(context, instance.name);
  const proposed = changedSettings(await readSettings(settings), change);
  await writeSettings(context.host, proposedSettings(settings), proposed, context.identities.apps);
}

async function provideVhost({ context, report, undoing, instance }: Preparation): Promise<void> {
  const { host, nginx, config } = context;
  const paths = pathsOf(context, instance.name);
  const { port } = config.server;
  const text = vhostText({
    name: instance.name,
    url: placeUrl(instance.place, port),
    place: instance.place,
    listen: listenAddresses(config),
    standardPort: port === 80,
    socket: paths.link,
    localPattern: paths.vhostLocal.replace(/f$/, "[f]"),
  });
  const current = await readIfPresent(paths.site);
  if (current !== undefined && !isUntouched(current)) {
    report.line("  vhost        edited by hand: left as it is");
    return;
  }
  const enabled = (await readdir(config.layout.sitesEnabled)).includes(`${instance.name}.conf`);
  if (current === text && enabled) return;

  const site = { available: paths.site, enabled: paths.siteLink };
  await report.step(
    "vhost",
    async () => {
      const former = await installVhost(host, nginx, site, text);
      undoing.add("vhost", () => restoreVhost(host, nginx, site, former));
    },
    () => `${current === undefined ? "made" : "changed"} for ${instance.place.host}`,
  );
}

async function bootUnderstudy(
  { context, options, instance }: Preparation,
  deploy: Deploy,
  planned: PlannedIni,
): Promise<number> {
  const understudy = understudyOf(context, instance.name, deploy.number);
  await provideLog(understudy.log, context.identities.apps, context.host.isRoot);
  await installIni(
    context.emperor,
    understudy.ini,
    understudyText(context, instance, deploy, planned),
  );
  const health = await proveHealthy(
    context.emperor,
    understudy.ini,
    understudy.socket,
    healthCheck(context, instance, options),
  );
  if (health.healthy) return health.status;

  const words = reasonOfFailure(await tailOfLog(understudy.log, 300));
  const asked = health.problem.startsWith("GET ")
    ? {
        hint: "Mend what the app's own words above say, or have something else asked: reeve options APP set health_path=/up",
      }
    : {};
  throw new UserError("APP_UNHEALTHY", [health.problem, ...words].join("\n"), asked);
}
