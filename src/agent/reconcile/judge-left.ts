import { waitFor } from "../../system/clock.ts";
import { isAlive } from "../../system/processes.ts";
import { hasGoneThrough, judgeDeploy, judgeOnDisk } from "../deploy/judge.ts";
import type { Deploy } from "../store/deploys.ts";
import { isEmperorRunning } from "../vassal/emperor.ts";
import type { DeployContext } from "../world/context.ts";

/** How long a push that survived the agent may take to move its ref, or to end, before the agent judges it. */
const timeout = 30_000;
const commandTimeout = 2000;
/** Milliseconds that requests have to end when a deploy is taken back while everybody waits for the agent. */
const graceAtStart = 2000;

/** Judges a deploy that the agent before this one left unfinished, once it is decided whether its ref moves. */
export async function judgeLeft(context: DeployContext, deploy: Deploy): Promise<void> {
  // Without a switch no ref can move; after it, whoever moves the ref may be waiting for this agent.
  const isDecided = async (): Promise<boolean> =>
    deploy.state !== "switched" ||
    (await hasGoneThrough(context, deploy)) ||
    !(await isAlive(deploy.holder));
  // A command's holder is the front, which goes on living when it has given up.
  const within = deploy.holder.turn > 0 ? commandTimeout : timeout;
  await waitFor(isDecided, { within, every: 100 });
  if (await isEmperorRunning(context.emperor)) await judgeDeploy(context, deploy, graceAtStart);
  else await judgeOnDisk(context, deploy);
}
