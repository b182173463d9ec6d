import type { AppOptions } from "../../config/app-options.ts";
import { isPreviewName } from "../../names/names.ts";
import type { Deploy, DeployStrategy } from "../store/deploys.ts";
import type { DeployContext } from "../world/context.ts";
import type { DeployReport } from "./report.ts";
import type { Preparation, Step } from "./step.ts";
import { bootStep } from "./steps/boot.ts";
import { checkoutStep } from "./steps/checkout.ts";
import { environmentStep } from "./steps/environment.ts";
import { foldersStep } from "./steps/folders.ts";
import { healthStep } from "./steps/health.ts";
import { emperorStep, restartStep } from "./steps/restart.ts";
import { variablesStep } from "./steps/variables.ts";
import { vhostStep } from "./steps/vhost.ts";

/** What needs to know the commit and no more: the front still reads meanwhile what it asks for. */
export const beginning: Step[] = [foldersStep, checkoutStep];

const boots: Record<DeployStrategy, Step[]> = {
  overlap: [bootStep],
  restart: [emperorStep, restartStep],
};

/** What proves the release. The vhost comes last, so that one which is not healthy never touches nginx. */
export function proofOf(instance: string, { overlap }: Pick<AppOptions, "overlap">): Step[] {
  // A preview has no permanent vassal that could be restarted.
  const strategy = overlap || isPreviewName(instance) ? "overlap" : "restart";
  return [environmentStep, variablesStep, ...boots[strategy], healthStep, vhostStep];
}

/** Whichever way the deploy went: a step that it did not take has nothing to undo. */
const allSteps: Step[] = [
  ...beginning,
  environmentStep,
  variablesStep,
  ...boots.overlap,
  ...boots.restart,
  healthStep,
  vhostStep,
];

/** One after the other, until one fails or somebody stops the deploy. */
export async function runSteps(
  steps: Step[],
  report: DeployReport,
  preparation: Preparation,
): Promise<void> {
  for (const { name, run } of steps) {
    preparation.signal.throwIfAborted();
    await report.step(name, () => run(preparation));
  }
  preparation.signal.throwIfAborted();
}

/** Everything that the deploy did, the newest first; one step that cannot be undone does not keep the others. */
export async function undoSteps(context: DeployContext, deploy: Deploy): Promise<void> {
  for (const { name, undo } of allSteps.toReversed()) {
    await undo(context, deploy).catch((error: unknown) => {
      context.log.error({ err: error, deploy: deploy.id, step: name }, "could not undo a step");
    });
  }
}
