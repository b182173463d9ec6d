import type { AppOptions } from "../../config/app-options.ts";
import type { Deploy } from "../store/deploys.ts";
import type { InstanceRow } from "../store/instances.ts";
import type { DeployContext } from "../world/context.ts";
import type { Preparation } from "./step.ts";
import { environmentStep } from "./steps/environment.ts";
import { checkoutStep } from "./steps/checkout.ts";

/** What is on the air, of which a part is missing on disk: it was removed by hand, or eaten by a broken disk. */
interface Live {
  row: InstanceRow;
  live: Deploy;
  options: AppOptions;
}

export async function remakeRelease(context: DeployContext, live: Live): Promise<void> {
  await checkoutStep.run(preparationOf(context, live));
}

/** Resolves to the environment's hash. */
export async function remakeEnvironment(context: DeployContext, live: Live): Promise<string> {
  const preparation = preparationOf(context, live);
  await environmentStep.run(preparation);
  return preparation.deploy.environment ?? "";
}

/** The steps are those of a deploy, of whose end nobody hears. */
function preparationOf(context: DeployContext, { row, live, options }: Live): Preparation {
  return {
    ...{ context, instance: row, options, deploy: { ...live, reason: "redeploy" } },
    line: () => undefined,
    signal: new AbortController().signal,
  };
}
