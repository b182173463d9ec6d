import { deployLogPath, optionsFile, placeUrl, type Instance } from "../../names/instance.ts";
import { branchOf, isPreviewName, shortCommit } from "../../names/names.ts";
import type { AppOptions } from "../../config/app-options.ts";
import type { RequirementsFile } from "../environment/requirements.ts";
import type { PushedTag } from "../environment/tree-contents.ts";
import { asUserError, describeError, UserError, type ErrorCode } from "../../errors.ts";
import { isPresent } from "../../system/files.ts";
import { currentCommit } from "../../system/git.ts";
import { isPreviewed } from "../../config/preview-pattern.ts";
import {
  adoptSettings,
  dropProposedSettings,
  forgetFormerSettings,
  type SettingsChange,
} from "../variables/settings.ts";
import type { DeployReason, Holder } from "../../names/deploy.ts";
import type { Deploy, DeployStrategy } from "../store/deploys.ts";
import type { InstanceRow } from "../store/instances.ts";
import { conclude } from "./conclude.ts";
import {
  gitOf,
  instanceOf,
  optionsOf,
  pathsOf,
  userOf,
  type DeployContext,
} from "../world/context.ts";
import { converge } from "../converge/converge.ts";
import { expectRoom } from "../instance/previews.ts";
import { keyOf } from "../world/locks.ts";
import { confirmRemoval, expectUse, startBranchRemoval } from "./remove.ts";
import { previewsSwept } from "../instance/app-users.ts";
import { DeployReport } from "./report.ts";
import { startSettling } from "../converge/settle.ts";
import type { Preparation, Step } from "./step.ts";
import { environmentStep } from "./steps/environment.ts";
import { foldersStep } from "./steps/folders.ts";
import { releaseStep } from "./steps/release.ts";
import { emperorStep, restartStep } from "./steps/restart.ts";
import { settingsStep } from "./steps/settings.ts";
import { understudyStep } from "./steps/understudy.ts";
import { vhostStep } from "./steps/vhost.ts";
import { tidiedFor, tidy } from "../converge/tidy.ts";
import { drained, lead, permanentOf, retire, understudyFor } from "../instance/vassals.ts";

/**
 * The story of a deploy, in order, with the undoing of each step beside it. When all is done, nothing of what
 * visitors get has changed: that is `switchDeploy`, at the moment the ref moves. The vhost comes last, so
 * that a release which is not healthy never touches nginx.
 */
const beginning: Step[] = [foldersStep, releaseStep];

const boots: Record<DeployStrategy, Step[]> = {
  overlap: [understudyStep],
  restart: [emperorStep, restartStep],
};

function proofOf(instance: string, { overlap }: Pick<AppOptions, "overlap">): Step[] {
  // A preview has no permanent vassal that could be restarted.
  const strategy = overlap || isPreviewName(instance) ? "overlap" : "restart";
  return [environmentStep, settingsStep, ...boots[strategy], vhostStep];
}

/** Whichever way the deploy went: a step that it did not take has nothing to undo. */
const allSteps: Step[] = [
  ...beginning,
  environmentStep,
  settingsStep,
  ...boots.overlap,
  ...boots.restart,
  vhostStep,
];

export interface DeployRequest {
  app: string;
  ref: string;
  oldCommit: string;
  newCommit: string;
  account: string;
  reason: Exclude<DeployReason, "removal">;
  holder: Holder;
  /** The branch, where whoever asks takes it for a preview: for this its right was judged. */
  preview?: string | undefined;
  /** Where the commit's objects are, while git has not taken them in. */
  quarantine?: string | undefined;
}

/** What the repository asks for, as the front read it; or why it could not be read. */
export type Proposal =
  | { module: string; root: string; requirements: RequirementsFile[] }
  | { problem: { code: ErrorCode; message: string; hint: string } };

type Say = (line: string) => void;

/**
 * Takes the instance's lock, writes the deploy down and puts its release on disk. The front still reads
 * meanwhile what the commit asks for; `prepareDeploy` goes on with that.
 */
export async function startDeploy(
  context: DeployContext,
  request: DeployRequest,
  say: Say,
): Promise<Deploy> {
  const { store } = context;
  const report = new DeployReport(store, say);
  const who: Attempted = { app: request.app, report };
  const begun = await refusing(context, who, async () => {
    const options = await optionsOf(context, request.app);
    const instance = await lockInstance(context, { request, options, say });
    who.instance = instance.name;
    store.places.expectFree(instance.name, instance.place);
    await expectRefUnmoved(context, request);
    await tidiedFor(context, instance.name);
    expectHeld(context, instance.name, request.holder);
    const deploy = store.deploys.start({ ...request, instance: instance.name });
    return { context, instance, options, deploy };
  });
  report.keep(begun.deploy.id, logOf(context, begun.deploy));
  const reading = { ...context, quarantine: request.quarantine };
  await attempt(context, begun.deploy, report, (voice) =>
    take(beginning, report, { ...begun, context: reading, ...voice }),
  );
  return begun.deploy;
}

/**
 * Proves the release of a deploy that was started, beside the one that is on the air. When a step fails, it
 * and all the steps before it are taken back and the reason is said, with what is still on the air.
 */
export async function prepareDeploy(
  context: DeployContext,
  request: {
    deploy: number;
    quarantine?: string | undefined;
    subject: string;
    proposal: Proposal;
    settings?: SettingsChange | undefined;
    tags?: PushedTag[] | undefined;
  },
  say: Say,
): Promise<void> {
  const { store } = context;
  const started = expectDeploy(context, request.deploy);
  if (started.state !== "preparing")
    throw new Error(`deploy ${started.id} is ${started.state}, not being prepared`);
  const report = new DeployReport(store, say);
  report.keep(started.id, logOf(context, started));
  store.deploys.change(started.id, { subject: request.subject });

  await attempt(context, started, report, async (voice) => {
    const { proposal, settings, quarantine, tags } = request;
    if ("problem" in proposal)
      throw new UserError(proposal.problem.code, proposal.problem.message, proposal.problem);
    const { module, root } = proposal;
    store.deploys.change(started.id, { module, root });
    store.requirements.keep(started.id, proposal.requirements);

    const options = await optionsOf(context, started.app);
    if (root !== options.root) throw rootChanged(started.app);
    await expectUse(context, usedAs(started));
    const instance = instanceOf(context, started.app, started.ref, options);
    if (instance.name !== started.instance) throw notOnTheAir(started);
    // Where there is nothing to build a vassal starts in a moment.
    context.groups.announce();
    await take(proofOf(instance.name, options), report, {
      ...{ context: { ...context, quarantine }, instance, options, settings, tags },
      deploy: expectDeploy(context, started.id),
      ...voice,
    });
    store.deploys.change(started.id, { state: "proven" });
  });
}

async function take(steps: Step[], report: DeployReport, preparation: Preparation): Promise<void> {
  for (const { name, run } of steps) {
    preparation.signal.throwIfAborted();
    await report.step(name, () => run(preparation));
  }
  preparation.signal.throwIfAborted();
}

function usedAs({ app, ref, instance }: Deploy): { app: string; ref: string; isPreview: boolean } {
  return { app, ref, isPreview: isPreviewName(instance) };
}

/** Everything that the deploy did, the newest first; one step that cannot be undone does not keep the others. */
export async function takeBack(context: DeployContext, deploy: Deploy): Promise<void> {
  for (const { name, undo } of allSteps.toReversed()) {
    await undo(context, deploy).catch((error: unknown) => {
      context.log.error({ err: error, deploy: deploy.id, step: name }, "could not undo a step");
    });
  }
}

/** Works on a deploy until it is done, or somebody stops it. */
function attempt(
  context: DeployContext,
  deploy: Deploy,
  report: DeployReport,
  work: (voice: Pick<Preparation, "line" | "signal">) => Promise<void>,
): Promise<void> {
  const line = (text: string): void => report.line(text);
  return context.attempts.run(deploy.id, (signal) =>
    refusing(context, { ...deploy, deploy: deploy.id, report }, () => work({ line, signal })),
  );
}

interface Attempted {
  app: string;
  instance?: string;
  deploy?: number;
  report: DeployReport;
}

/** Whatever goes wrong is taken back, written down and said, with what is still on the air. */
async function refusing<T>(
  context: DeployContext,
  who: Attempted,
  work: () => Promise<T>,
): Promise<T> {
  try {
    return await work();
  } catch (error) {
    const { app, instance = app, deploy: id, report } = who;
    const told = asUserError(error);
    if (told.code === "INTERNAL")
      context.log.error({ err: error }, "a deploy failed by a mistake of reeve's");
    const deploy = id === undefined ? undefined : expectDeploy(context, id);
    if (deploy && deploy.reason !== "removal") await takeBack(context, deploy);
    for (const line of describeError(told)) report.line(line.replace(/\bAPP\b/g, app));
    report.line(onTheAir(context, instance));
    told.said = true;
    dropUnusedClaim(context, instance);
    if (deploy) conclude(context, deploy, { state: "refused", error: told }, report);
    throw told;
  }
}

/**
 * Takes back what waits for its ref, as if it had failed: the front has judged once more, and the answer is no. Resolves
 * to whether there was anything.
 */
export async function refuseDeploy(
  context: DeployContext,
  { holder, ref }: { holder: Holder; ref: string },
  { reason, say }: { reason: UserError; say: Say },
): Promise<boolean> {
  const deploy = context.store.deploys.provenOf(holder, ref);
  if (!deploy) return false;
  const report = new DeployReport(context.store, say);
  report.keepLog(logOf(context, deploy));
  const refused = attempt(context, deploy, report, () => Promise.reject(reason));
  await refused.catch((error: unknown) => {
    if (error !== reason) throw error;
  });
  return true;
}

/**
 * Moves the traffic to the proven release. The ref moves right after: keep this to one rename. Whether its branch has
 * become production, or is that no longer, is asked in the turn in which it would become that.
 */
export async function switchDeploy(context: DeployContext, id: number): Promise<void> {
  const deploy = expectDeploy(context, id);
  if (deploy.state !== "proven") throw new Error(`deploy ${id} is ${deploy.state}, not proven`);
  await context.turns.run(optionsFile(context.config.layout, deploy.app), async () => {
    // A branch that goes does not become production meanwhile.
    if (deploy.reason !== "removal") await expectUse(context, usedAs(deploy));
    context.attempts.signalOf(id).throwIfAborted();
    context.store.deploys.change(id, { state: "switched" });
  });
  if (deploy.reason === "removal") return;
  context.background.supersede(deploy.instance);
  const isRestarted = deploy.strategy === "restart";
  await lead(
    context,
    isRestarted ? permanentOf(context, deploy.instance) : understudyFor(context, deploy),
  );
}

/**
 * git says that it has moved the ref; `REF_MOVED` where the deploy was taken back by then. Beside the judging of
 * the same push, which may be gone by then, this would do everything twice; and what came second would do it to
 * the next push, which has the lock by then.
 */
export function confirmRef(
  context: DeployContext,
  { holder, ref }: { holder: Holder; ref: string },
  say: Say,
): Promise<void> {
  return context.turns.run(keyOf(holder), async () => {
    const mine = context.store.deploys.unfinishedOf(holder).filter((one) => one.ref === ref);
    for (const deploy of mine)
      for (const line of await confirmDeploy(context, deploy.id)) say(line);
    if (mine.length === 0 && context.store.deploys.of(holder, ref)?.state === "refused")
      throw new UserError(
        "REF_MOVED",
        `${ref} moved only after the agent, started anew meanwhile, had taken this deploy back: what was on the air before still is`,
        {
          hint: "Put on the air what the branch names: reeve redeploy APP, for a preview with -b BRANCH.",
        },
      );
  });
}

/** The ref has moved: the release is live, and the permanent vassal follows behind the understudy. */
export async function confirmDeploy(context: DeployContext, id: number): Promise<string[]> {
  const deploy = expectDeploy(context, id);
  if (deploy.state !== "switched") return [];
  if (deploy.reason === "removal") return confirmRemoval(context, deploy);
  const { store, config } = context;
  const row = store.instances.get(deploy.instance) as InstanceRow;
  const took = await goLive(context, deploy);
  if (deploy.strategy === "restart") tidy(context, row.name).catch(() => undefined);
  else startSettling(context, row.name, id);

  const said: string[] = [];
  const report = new DeployReport(store, (line) => said.push(line));
  report.keepLog(logOf(context, deploy));
  report.stepTook("live", placeUrl(row.place, config.server.port), took);
  return said;
}

/** Ends the deploy that an instance is in the middle of, as if it had failed: `DEPLOY_UNKNOWN` where there is none. */
export async function cancelDeploy(
  context: DeployContext,
  instance: string,
  account: string,
): Promise<Deploy> {
  const running = context.store.deploys
    .unfinished()
    .find(
      (deploy) =>
        deploy.instance === instance && deploy.state !== "switched" && deploy.reason !== "removal",
    );
  if (!running)
    throw new UserError("DEPLOY_UNKNOWN", `${instance} is not being deployed`, {
      hint: "A preview's deploy is cancelled by its branch: reeve cancel APP -b BRANCH. See reeve deploys APP.",
    });
  const why = new UserError("DEPLOY_CANCELLED", `${account} cancelled this deploy`);
  await context.attempts.stop(running.id, why);
  return running;
}

/**
 * A branch is about to go. Its preview stays until it is gone; here it is only locked, and the removal
 * written down. Resolves to nothing where the branch is not on the air.
 */
export async function prepareRemoval(
  context: DeployContext,
  request: Pick<DeployRequest, "app" | "ref" | "oldCommit" | "account" | "holder">,
  say: Say,
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

/**
 * The process that carried a push is gone, and with it every doubt: where its ref has moved, the deploy is
 * live; where it has not, the traffic goes back to what the ref says. Where that fails, on a full disk say,
 * nothing else happens to the instance until it succeeds.
 */
export function judgeHolder(context: DeployContext, holder: Holder): Promise<void> {
  return context.turns.run(keyOf(holder), async () => {
    try {
      for (const { id } of context.store.deploys.unfinishedOf(holder))
        await judgeEnded(context, id);
    } catch (error) {
      context.locks.keep(holder);
      throw error;
    }
    context.locks.release(holder);
  });
}

async function judgeEnded(context: DeployContext, id: number): Promise<void> {
  const gone = new UserError("PUSH_GONE", "the push that carried this deploy is gone");
  await context.attempts.stop(id, gone);
  const left = context.store.deploys.unfinished().find((deploy) => deploy.id === id);
  if (left) await judgeDeploy(context, left);
}

/** The deploy is on the air, and its settings are the instance's. Resolves to the milliseconds that it took. */
export async function goLive(context: DeployContext, deploy: Deploy): Promise<number> {
  const { settings } = pathsOf(context, deploy.instance);
  const owner = { system: context.system, app: userOf(context, deploy.instance) };
  await adoptSettings(owner, settings, deploy.number);
  const took = conclude(context, deploy, { state: "live" });
  // What cannot be removed now is removed when it tidies up, or by the next deploy.
  const cleaning = [
    forgetFormerSettings(context.system, settings),
    // There is no understudy with which they would go.
    ...(deploy.strategy === "restart"
      ? [dropProposedSettings(context.system, settings, deploy.number)]
      : []),
  ];
  for (const cleaned of await Promise.allSettled(cleaning))
    if (cleaned.status === "rejected")
      context.log.warn({ err: cleaned.reason as unknown }, "could not clear settings away");
  return took;
}

/** `grace`: the milliseconds at most that requests have to end which a release got that is taken back. */
export async function judgeDeploy(
  context: DeployContext,
  deploy: Deploy,
  grace = Infinity,
): Promise<void> {
  if (await hasGoneThrough(context, deploy)) await confirmDeploy(context, deploy.id);
  else await revertDeploy(context, deploy, { why: `git did not move ${deploy.ref}`, grace });
}

/** Takes back a deploy that was proven, or even switched, and whose ref did not move. */
async function revertDeploy(
  context: DeployContext,
  deploy: Deploy,
  { why, grace }: { why: string; grace: number },
): Promise<void> {
  const { store } = context;
  const row = store.instances.get(deploy.instance);
  if (deploy.reason !== "removal") {
    if (deploy.state === "switched" && row) {
      await leadBack(context, row);
      await finishRequests(context, deploy, grace).catch((error: unknown) =>
        context.log.error({ err: error, deploy: deploy.id }, "requests were cut"),
      );
    }
    await takeBack(context, deploy);
  }
  conclude(context, deploy, { state: "refused", error: new UserError("REF_MOVED", why) });
  // As it is by now: what the switch did not supersede has gone on settling.
  const now = store.instances.get(deploy.instance);
  if (now?.live && now.settled !== now.live) startSettling(context, now.name, now.live);
  await tidy(context, deploy.instance);
}

/** The understudy had the traffic for a moment: who was led to it gets an answer. */
async function finishRequests(
  context: DeployContext,
  deploy: Deploy,
  atMost: number,
): Promise<void> {
  const understudy = understudyFor(context, deploy);
  if (!(await isPresent(understudy.ini))) return;
  await drained(context, deploy.instance);
  const { grace } = await optionsOf(context, deploy.app);
  await retire(context, understudy, { grace: Math.min(grace * 1000, atMost), waking: 0 });
}

/** To whom it belongs by the deploy that is live. */
async function leadBack(context: DeployContext, row: InstanceRow): Promise<void> {
  const deploy = row.live === null ? undefined : context.store.deploys.get(row.live);
  if (!deploy) return lead(context, permanentOf(context, row.name));
  const progress = row.settled === row.live ? "settled" : "unsettled";
  await converge(context, { row, deploy }, { progress, onDisk: false, goOn: () => undefined });
}

/** A redeploy's ref stands where it stood, so its switch must have happened as well. */
export async function hasGoneThrough(context: DeployContext, deploy: Deploy): Promise<boolean> {
  return (
    deploy.state === "switched" &&
    (await currentCommit(context.system, gitOf(context, deploy.app), deploy.ref)) ===
      deploy.newCommit
  );
}

function expectDeploy(context: DeployContext, id: number): Deploy {
  const deploy = context.store.deploys.get(id);
  if (!deploy) throw new UserError("DEPLOY_UNKNOWN", `there is no deploy with the id ${id}`);
  return deploy;
}

function logOf(context: DeployContext, deploy: Deploy): string {
  return deployLogPath(context.config.layout, deploy.app, deploy.number);
}

/** Whose turn it is decides what a preview is called: it may have come or gone while this push waited. */
async function lockInstance(
  context: DeployContext,
  { request, options, say }: { request: DeployRequest; options: AppOptions; say: Say },
): Promise<Instance> {
  const find = (): Instance => {
    expectStays(context, request.app);
    return instanceOf(context, request.app, request.ref, options);
  };
  const branch = branchOf(request.ref);
  const isPreview = branch !== options.production_branch;
  if (isPreview && !isPreviewed(options.previews, branch)) throw notOnTheAir(request);
  await expectUse(context, { ...request, isPreview: request.preview !== undefined });
  for (;;) {
    const instance = find();
    try {
      const preview = context.store.previews.of(request.app, branchOf(request.ref));
      if (preview) await expectRoom(context, preview, options);
      await lockFor(context, instance.name, { holder: request.holder, say });
    } catch (error) {
      if (!context.locks.isHeld(instance.name)) dropUnusedClaim(context, instance.name);
      throw error;
    }
    if (find().name !== instance.name) continue;
    if (isPreview) await previewsSwept(context, request.app);
    return instance;
  }
}

/** What is put on the air after an app was looked through for its end would outlive it. */
function expectStays({ store }: DeployContext, app: string): void {
  if (!store.apps.has(app) || store.apps.isDestroyed(app))
    throw new UserError("APP_UNKNOWN", `${app} is being removed, or is gone already`);
}

function rootChanged(app: string): UserError {
  return new UserError(
    "OPTION_INVALID",
    `the option root of ${app} was changed while this deploy was on its way`,
    { hint: "Push again, or repeat the command." },
  );
}

function notOnTheAir({ app, ref }: Pick<DeployRequest, "app" | "ref">): UserError {
  return new UserError(
    "BRANCH_REFUSED",
    `${branchOf(ref)} is neither the production branch of ${app} nor one of its previews`,
  );
}

/** A preview that has never been on the air leaves its name to others. */
function dropUnusedClaim({ store }: DeployContext, instance: string): void {
  if (isPreviewName(instance) && !store.instances.get(instance)) store.previews.forget(instance);
}

async function expectRefUnmoved(
  context: DeployContext,
  request: Pick<DeployRequest, "app" | "ref" | "oldCommit">,
): Promise<void> {
  const current = await currentCommit(context.system, gitOf(context, request.app), request.ref);
  if (current === request.oldCommit) return;
  throw new UserError(
    "REF_MOVED",
    `${request.ref} moved to ${shortCommit(current)} while this push waited`,
  );
}

/** Who was gone while it waited was judged when nothing of it was written down yet: nobody would judge it again. */
function expectHeld({ locks }: DeployContext, instance: string, holder: Holder): void {
  if (!locks.isHeldBy(instance, holder))
    throw new UserError("PUSH_GONE", "the push that asked for this deploy is gone");
}

/** Waits for what is under way with an instance; whoever waits is told for whom. */
export function lockFor(
  context: DeployContext,
  instance: string,
  { holder, say }: { holder: Holder; say: Say },
): Promise<void> {
  return context.locks.take(instance, holder, () => {
    const running = context.store.deploys
      .unfinished()
      .find((deploy) => deploy.instance === instance);
    say(
      `reeve: ${running?.account ?? "somebody"} is deploying ${instance} just now; this push waits for its turn`,
    );
  });
}

function onTheAir(context: DeployContext, instance: string): string {
  const row = context.store.instances.get(instance);
  const live = row?.live ? context.store.deploys.get(row.live) : undefined;
  if (!row || !live) return `reeve: refused; ${instance} has never been on the air`;
  const which = isPreviewName(instance) ? `${instance}: ` : "";
  return `reeve: refused; still on the air: ${which}${shortCommit(live.newCommit)} "${live.subject}"`;
}
