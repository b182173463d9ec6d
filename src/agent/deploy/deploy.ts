import { optionsFile, placeUrl } from "../../names/instance.ts";
import { visitedAt } from "../../config/visited.ts";
import { isPreviewName } from "../../names/names.ts";
import type { AgentRequest } from "../../protocol/agent-verbs.ts";
import { UserError } from "../../errors.ts";
import {
  adoptVariables,
  dropProposedVariables,
  forgetFormerVariables,
} from "../variables/variables.ts";
import type { Deploy } from "../store/deploys.ts";
import type { InstanceRow } from "../store/instances.ts";
import { instanceOf, optionsOf, pathsOf, userOf, type DeployContext } from "../world/context.ts";
import { startSettling } from "../converge/settle.ts";
import { tidiedFor, tidy } from "../converge/tidy.ts";
import { point, permanentOf, understudyFor } from "../instance/vassals.ts";
import { attempt, refusing, type Attempted } from "./attempt.ts";
import { expectUse } from "./branch-use.ts";
import { conclude } from "./conclude.ts";
import { expectHeld, expectRefUnmoved, lockInstance, notOnTheAir } from "./locks.ts";
import { expectDeploy, logOf } from "./record.ts";
import { confirmRemoval } from "./remove.ts";
import { DeployReport } from "./report.ts";
import { beginning, proofOf, runSteps } from "./steps.ts";

// The story of a deploy, in order: it is started, prepared, switched when its ref moves, and confirmed when it has.
// Its steps, each with its undoing beside it, are in steps/; how it ends otherwise is told in attempt.ts, where a step
// fails, cancel.ts, where somebody stops it, and judge.ts, where the push that carried it is gone.

type Say = (line: string) => void;

/**
 * Takes the instance's lock, writes the deploy down and puts its release on disk. The front still reads
 * meanwhile what the commit asks for; `prepareDeploy` goes on with that.
 */
export async function startDeploy(
  context: DeployContext,
  request: AgentRequest<"start">,
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
    runSteps(beginning, report, { ...begun, context: reading, ...voice }),
  );
  return begun.deploy;
}

/**
 * Proves the release of a deploy that was started, beside the one that is on the air. When a step fails, it
 * and all the steps before it are taken back and the reason is said, with what is still on the air. When all is done,
 * nothing of what visitors get has changed: that is `switchDeploy`, at the moment the ref moves.
 */
export async function prepareDeploy(
  context: DeployContext,
  request: AgentRequest<"prepare">,
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
    const { proposal, variables, quarantine, tags } = request;
    if ("problem" in proposal)
      throw new UserError(proposal.problem.code, proposal.problem.message, proposal.problem);
    const { processes, root } = proposal;
    store.deploys.change(started.id, { processes, root });
    store.requirements.keep(started.id, proposal.requirements);

    const options = await optionsOf(context, started.app);
    if (root !== options.root) throw rootChanged(started.app);
    await expectUse(context, usedAs(started));
    const instance = instanceOf(context, started.app, started.ref, options);
    if (instance.name !== started.instance) throw notOnTheAir(started);
    // Where there is nothing to build a vassal starts in a moment.
    context.groups.announce();
    await runSteps(proofOf(instance.name, options), report, {
      ...{ context: { ...context, quarantine }, instance, options, variables, tags },
      deploy: expectDeploy(context, started.id),
      ...voice,
    });
    store.deploys.change(started.id, { state: "proven" });
  });
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
  await point(
    context,
    isRestarted ? permanentOf(context, deploy.instance) : understudyFor(context, deploy),
  );
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
  report.stepTook("live", placeUrl(row.place, visitedAt(config.server)), took);
  return said;
}

/** The deploy is on the air, and its variables are the instance's. Resolves to the milliseconds that it took. */
export async function goLive(context: DeployContext, deploy: Deploy): Promise<number> {
  const { variables } = pathsOf(context, deploy.instance);
  const owner = { system: context.system, app: userOf(context, deploy.instance) };
  await adoptVariables(owner, variables, deploy.number);
  const took = conclude(context, deploy, { state: "live" });
  // What cannot be removed now is removed when it tidies up, or by the next deploy.
  const cleaning = [
    forgetFormerVariables(context.system, variables),
    // There is no understudy with which they would go.
    ...(deploy.strategy === "restart"
      ? [dropProposedVariables(context.system, variables, deploy.number)]
      : []),
  ];
  for (const cleaned of await Promise.allSettled(cleaning))
    if (cleaned.status === "rejected")
      context.log.warn({ err: cleaned.reason as unknown }, "could not clear variables away");
  return took;
}

function usedAs({ app, ref, instance }: Deploy): { app: string; ref: string; isPreview: boolean } {
  return { app, ref, isPreview: isPreviewName(instance) };
}

function rootChanged(app: string): UserError {
  return new UserError(
    "OPTION_INVALID",
    `the option root of ${app} was changed while this deploy was on its way`,
    { hint: "Push again, or repeat the command." },
  );
}
