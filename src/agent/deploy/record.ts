import { deployLogPath } from "../../names/instance.ts";
import { UserError } from "../../errors.ts";
import type { Deploy } from "../store/deploys.ts";
import type { DeployContext } from "../world/context.ts";

/** A deploy as it is on record now. */
export function expectDeploy(context: DeployContext, id: number): Deploy {
  const deploy = context.store.deploys.get(id);
  if (!deploy) throw new UserError("DEPLOY_UNKNOWN", `there is no deploy with the id ${id}`);
  return deploy;
}

/** Where everything is kept that a deploy says. */
export function logOf(context: DeployContext, deploy: Deploy): string {
  return deployLogPath(context.config.layout, deploy.app, deploy.number);
}
