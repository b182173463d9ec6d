import { basename } from "node:path";
import { branchOf, isPreviewName } from "../../names/names.ts";
import { headline } from "../../names/headline.ts";
import {
  deployLogPath,
  environmentPath,
  optionsFile,
  placeUrl,
  releasePath,
} from "../../names/instance.ts";
import { visitedAt } from "../../config/visited.ts";
import { appOptions } from "../../config/app-options.ts";
import type { Option } from "../../config/option-table.ts";
import { optionsOf, pathsOf, userOf, type DeployContext } from "../world/context.ts";
import { expectPreview, previewDays, previewUses } from "../instance/previews.ts";
import { permanentOf, settledVassal, understudiesOf } from "../instance/vassals.ts";
import { withoutCredentials } from "../../system/credentials.ts";
import { UserError } from "../../errors.ts";
import { isPresent, readIfPresent } from "../../system/files.ts";
import { goesAt } from "../preview/limits.ts";
import { readVariables } from "../variables/variables.ts";
import type { Deploy } from "../store/deploys.ts";
import type { InstanceRow } from "../store/instances.ts";
import { listVassals, type VassalStatus } from "../vassal/emperor.ts";
import type { BranchPolicy, AgentRequest } from "../../protocol/agent-verbs.ts";
import type {
  AppDetails,
  AppSummary,
  DeploySummary,
  InstanceState,
  OptionsAnswer,
  OptionValue,
  PreviewSummary,
  ReleaseSummary,
} from "../../protocol/readings.ts";

/** What reeve believes, for people and for programs; nothing here changes anything. */
export async function summarizeApps(context: DeployContext): Promise<AppSummary[]> {
  const vassals = await vassalsSeen(context);
  return Promise.all(context.store.apps.names().map((app) => summarize(context, app, vassals)));
}

export async function showApp(context: DeployContext, app: string): Promise<AppDetails> {
  expectApp(context, app);
  const { store } = context;
  const summary = await summarize(context, app, await vassalsSeen(context));
  const options = await optionsOf(context, app);
  const row = store.instances.get(app);
  const live = liveDeploy(context, row);
  const place = row && placeOf(context, row);
  const packages = live?.environment
    ? store.environments.packages(app, live.environment)
    : undefined;
  return {
    ...summary,
    branch: options.production_branch,
    processes: live?.processes ?? [],
    release: place?.release ?? null,
    environment: place?.environment ?? null,
    user: context.system.isRoot ? userOf(context, app).name : null,
    packages: withoutCredentials(packages ?? "")
      .split("\n")
      .filter(Boolean),
    degraded: row?.degraded ?? null,
    deploys: store.deploys.list(app, 1)[0]?.number ?? 0,
  };
}

/** Rows of one answer: whoever wants more asks again, from the last one on. */
const longestPage = 20;

export async function listReleases(
  context: DeployContext,
  { app, branch, limit = longestPage, before }: AgentRequest<"releases">,
): Promise<ReleaseSummary[]> {
  const instance = expectInstance(context, app, branch);
  const { store } = context;
  const row = store.instances.get(instance);
  const last = before === undefined ? undefined : (store.deploys.byNumber(app, before)?.id ?? 0);
  return Promise.all(
    store.deploys.releases(instance, Math.min(limit, longestPage), last).map(async (deploy) => ({
      commit: deploy.newCommit,
      subject: deploy.subject,
      deploy: deploy.number,
      account: deploy.account,
      liveAt: deploy.liveAt ?? "",
      live: row?.live === deploy.id,
      onDisk: await isPresent(releasePath(pathsOf(context, instance), deploy.newCommit)),
    })),
  );
}

/**
 * The commit to roll back to: what a person named, by the start of its id or by a deploy's number; or else
 * what was on the air before the live commit was last pushed: `RELEASE_UNKNOWN`.
 */
export function findRelease(
  context: DeployContext,
  { app, branch, named }: AgentRequest<"release">,
): string {
  const instance = expectInstance(context, app, branch);
  const commit =
    named === undefined
      ? context.store.deploys.commitBefore(instance)
      : commitNamed(context, { app, instance }, named);
  if (commit !== undefined) return commit;
  throw new UserError(
    "RELEASE_UNKNOWN",
    named === undefined
      ? `${instance} has no release before the one that is on the air`
      : `${instance} has no release ${named}`,
  );
}

function commitNamed(
  { store }: DeployContext,
  { app, instance }: { app: string; instance: string },
  named: string,
): string | undefined {
  const found = /^[0-9a-f]{4,40}$/.test(named) ? store.deploys.commitsLike(instance, named) : [];
  if (found.length > 1) {
    throw new UserError(
      "RELEASE_UNKNOWN",
      `${named} is the start of more than one release's commit`,
    );
  }
  if (found[0] !== undefined) return found[0];
  const deploy = /^\d{1,9}$/.test(named) ? store.deploys.byNumber(app, Number(named)) : undefined;
  if (deploy?.instance !== instance || deploy.liveAt === null) return undefined;
  return store.deploys.releaseOf(instance, deploy.newCommit)?.newCommit;
}

export function listDeploys(
  context: DeployContext,
  { app, limit, before }: AgentRequest<"deploys">,
): DeploySummary[] {
  expectApp(context, app);
  const { store } = context;
  return store.deploys.list(app, Math.min(limit, longestPage), before).map((deploy) => ({
    number: deploy.number,
    instance: deploy.instance,
    reason: deploy.reason,
    state: deploy.state,
    ref: deploy.ref,
    oldCommit: deploy.oldCommit,
    newCommit: deploy.newCommit,
    subject: deploy.subject,
    account: deploy.account,
    startedAt: deploy.startedAt,
    milliseconds: deploy.milliseconds,
    error: deploy.error,
    note: deploy.note,
    steps: store.deploys.steps(deploy.id),
  }));
}

export async function listPreviews(context: DeployContext, app: string): Promise<PreviewSummary[]> {
  expectApp(context, app);
  const { store } = context;
  const vassals = await vassalsSeen(context);
  const days = previewDays(context, await optionsOf(context, app));
  const uses = await previewUses(context, app);
  const summaries = uses.map(async (use): Promise<PreviewSummary[]> => {
    const row = store.instances.get(use.instance);
    const live = liveDeploy(context, row);
    if (!row) return [];
    const goes = goesAt(use, days);
    return [
      {
        branch: use.branch,
        preview: use.instance,
        state: await previewState(context, row, vassals),
        url: placeOf(context, row).url,
        commit: live?.newCommit ?? null,
        subject: live?.subject ?? null,
        usedAt: new Date(use.usedAt).toISOString(),
        pinned: use.pinned,
        goesAt: goes === undefined ? null : new Date(goes).toISOString(),
      },
    ];
  });
  return (await Promise.all(summaries)).flat();
}

async function previewState(
  context: DeployContext,
  row: InstanceRow,
  vassals: Vassals,
): Promise<InstanceState> {
  const live = liveDeploy(context, row);
  if (!live || row.degraded !== null || row.settled !== row.live)
    return stateOf(context, row, vassals);
  const { ini } = settledVassal(context, live);
  if (!vassals) return "unknown";
  const vassal = vassals.find(({ id }) => id === basename(ini));
  if (!vassal || vassal.cursed > 0) return "down";
  return vassal.pid > 0 ? "live" : "asleep";
}

export async function readDeployLog(
  context: DeployContext,
  app: string,
  number: number,
): Promise<string> {
  expectApp(context, app);
  const deploy = context.store.deploys.byNumber(app, number);
  if (!deploy) throw new UserError("DEPLOY_UNKNOWN", `${app} has no deploy ${number}`);
  const log = await readIfPresent(deployLogPath(context.config.layout, app, number));
  const preview = isPreviewName(deploy.instance) ? branchOf(deploy.ref) : undefined;
  return `${headline({ ...deploy, preview })}\n${log ?? "(what it said is not kept any more)\n"}`;
}

export async function listOptions(context: DeployContext, app: string): Promise<OptionsAnswer> {
  expectApp(context, app);
  const values = await optionsOf(context, app);
  return {
    path: optionsFile(context.config.layout, app),
    values: Object.entries<Option>(appOptions).map(([name, option]) => ({
      name,
      value: shownValue(option, values[name as keyof typeof values]),
      default: option.default,
      sentence: option.sentence,
    })),
  };
}

export async function readPolicy(context: DeployContext, app: string): Promise<BranchPolicy> {
  expectApp(context, app);
  const { production_branch: productionBranch, previews, root } = await optionsOf(context, app);
  return { productionBranch, previews, root };
}

/** Of a secret only whether it is set: whoever may read the app may see its options. */
function shownValue({ secret }: Option, value: OptionValue): OptionValue {
  return secret && value !== "" ? "***" : value;
}

export async function listVariables(
  context: DeployContext,
  app: string,
  ofPreviews: boolean,
): Promise<Record<string, string>> {
  expectApp(context, app);
  const { variables, previewVariables } = pathsOf(context, app);
  return Object.fromEntries(await readVariables(ofPreviews ? previewVariables : variables));
}

/** The app itself; or the preview that is named: `PREVIEW_UNKNOWN`. */
export function expectInstance(
  context: DeployContext,
  app: string,
  branch: string | undefined,
): string {
  expectApp(context, app);
  return branch === undefined ? app : expectPreview(context, app, branch).instance;
}

export function expectApp(context: DeployContext, app: string): void {
  if (!context.store.apps.has(app)) throw new UserError("APP_UNKNOWN", `there is no app ${app}`);
}

/** Undefined where the Emperor does not say. */
type Vassals = VassalStatus[] | undefined;

function vassalsSeen({ emperor }: DeployContext): Promise<Vassals> {
  return listVassals(emperor).catch(() => undefined);
}

async function summarize(
  context: DeployContext,
  app: string,
  vassals: Vassals,
): Promise<AppSummary> {
  const row = context.store.instances.get(app);
  const live = liveDeploy(context, row);
  return {
    app,
    state: row && live ? await stateOf(context, row, vassals) : null,
    url: row && live ? placeOf(context, row).url : null,
    commit: live?.newCommit ?? null,
    subject: live?.subject ?? null,
    liveSince: live?.liveAt ?? null,
  };
}

async function stateOf(
  context: DeployContext,
  row: InstanceRow,
  vassals: Vassals,
): Promise<InstanceState> {
  if (row.degraded !== null) return "degraded";
  if (row.settled !== row.live)
    return (await understudiesOf(context, row.name)).length > 0 ? "settling" : "down";
  if (!vassals) return "unknown";
  const vassal = vassals.find(({ id }) => id === basename(permanentOf(context, row.name).ini));
  return vassal && vassal.cursed === 0 ? "live" : "down";
}

function liveDeploy(context: DeployContext, row: InstanceRow | undefined): Deploy | undefined {
  return row?.live ? context.store.deploys.get(row.live) : undefined;
}

/** Where an instance stands, in the open and on disk. */
function placeOf(
  context: DeployContext,
  row: InstanceRow,
): { url: string; release: string | undefined; environment: string | undefined } {
  const live = row.live === null ? undefined : context.store.deploys.get(row.live);
  const paths = pathsOf(context, row.name);
  return {
    url: placeUrl(row.place, visitedAt(context.config.server)),
    release: live && releasePath(paths, live.newCommit),
    environment: live?.environment ? environmentPath(paths, live.environment) : undefined,
  };
}
