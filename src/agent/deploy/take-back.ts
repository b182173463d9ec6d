import { UserError } from "../../errors.ts";
import { isPresent } from "../../system/files.ts";
import { converge } from "../converge/converge.ts";
import { startSettling } from "../converge/settle.ts";
import { tidy } from "../converge/tidy.ts";
import { drained, point, permanentOf, retire, understudyFor } from "../instance/vassals.ts";
import type { Deploy } from "../store/deploys.ts";
import type { InstanceRow } from "../store/instances.ts";
import { optionsOf, type DeployContext } from "../world/context.ts";
import { conclude } from "./conclude.ts";
import { undoSteps } from "./steps.ts";

/** Takes back a deploy that was proven, or even switched, and whose ref did not move. */
export async function takeBack(
  context: DeployContext,
  deploy: Deploy,
  { why, grace }: { why: string; grace: number },
): Promise<void> {
  const { store } = context;
  const row = store.instances.get(deploy.instance);
  if (deploy.reason !== "removal") {
    if (deploy.state === "switched" && row) {
      await pointBack(context, row);
      await finishRequests(context, deploy, grace).catch((error: unknown) =>
        context.log.error({ err: error, deploy: deploy.id }, "requests were cut"),
      );
    }
    await undoSteps(context, deploy);
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
async function pointBack(context: DeployContext, row: InstanceRow): Promise<void> {
  const deploy = row.live === null ? undefined : context.store.deploys.get(row.live);
  if (!deploy) return point(context, permanentOf(context, row.name));
  const progress = row.settled === row.live ? "settled" : "unsettled";
  await converge(context, { row, deploy }, { progress, onDisk: false, goOn: () => undefined });
}
