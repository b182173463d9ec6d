import { asUserError, describeError } from "../../errors.ts";
import { isPreviewName, shortCommit } from "../../names/names.ts";
import type { Deploy } from "../store/deploys.ts";
import type { DeployContext } from "../world/context.ts";
import { conclude } from "./conclude.ts";
import { dropUnusedClaim } from "./locks.ts";
import { expectDeploy } from "./record.ts";
import type { DeployReport } from "./report.ts";
import type { Preparation } from "./step.ts";
import { undoSteps } from "./steps.ts";

/** Works on a deploy until it is done, or somebody stops it. */
export function attempt(
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

export interface Attempted {
  app: string;
  instance?: string;
  deploy?: number;
  report: DeployReport;
}

/** Whatever goes wrong is taken back, written down and said, with what is still on the air. */
export async function refusing<T>(
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
    if (deploy && deploy.reason !== "removal") await undoSteps(context, deploy);
    for (const line of describeError(told)) report.line(line.replace(/\bAPP\b/g, app));
    report.line(onTheAir(context, instance));
    told.said = true;
    dropUnusedClaim(context, instance);
    if (deploy) conclude(context, deploy, { state: "refused", error: told }, report);
    throw told;
  }
}

function onTheAir(context: DeployContext, instance: string): string {
  const row = context.store.instances.get(instance);
  const live = row?.live ? context.store.deploys.get(row.live) : undefined;
  if (!row || !live) return `reeve: refused; ${instance} has never been on the air`;
  const which = isPreviewName(instance) ? `${instance}: ` : "";
  return `reeve: refused; still on the air: ${which}${shortCommit(live.newCommit)} "${live.subject}"`;
}
