import { UserError } from "../../errors.ts";
import { branchOf } from "../../names/names.ts";
import { optionsOf, type DeployContext } from "../world/context.ts";

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
export function expectBranchStays({ store }: DeployContext, app: string, branch: string): void {
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
