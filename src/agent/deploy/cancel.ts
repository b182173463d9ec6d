import { UserError } from "../../errors.ts";
import type { Holder } from "../../names/deploy.ts";
import type { Deploy } from "../store/deploys.ts";
import type { DeployContext } from "../world/context.ts";
import { attempt } from "./attempt.ts";
import { logOf } from "./record.ts";
import { DeployReport } from "./report.ts";

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
 * Takes back what waits for its ref, as if it had failed: the front has judged once more, and the answer is no. Resolves
 * to whether there was anything.
 */
export async function refuseDeploy(
  context: DeployContext,
  { holder, ref }: { holder: Holder; ref: string },
  { reason, say }: { reason: UserError; say: (line: string) => void },
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
