import { UserError } from "../../errors.ts";
import type { Holder } from "../../names/deploy.ts";
import { currentCommit } from "../../system/git.ts";
import type { Deploy } from "../store/deploys.ts";
import { gitOf, type DeployContext } from "../world/context.ts";
import { keyOf } from "../world/locks.ts";
import { conclude } from "./conclude.ts";
import { confirmDeploy, goLive } from "./deploy.ts";
import { undoSteps } from "./steps.ts";
import { takeBack } from "./take-back.ts";

/**
 * git says that it has moved the ref; `REF_MOVED` where the deploy was taken back by then. Beside the judging of
 * the same push, which may be gone by then, this would do everything twice; and what came second would do it to
 * the next push, which has the lock by then.
 */
export function confirmRef(
  context: DeployContext,
  { holder, ref }: { holder: Holder; ref: string },
  say: (line: string) => void,
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

/**
 * The ref decides. `grace`: the milliseconds at most that requests have to end which a release got that is taken back.
 */
export async function judgeDeploy(
  context: DeployContext,
  deploy: Deploy,
  grace = Infinity,
): Promise<void> {
  if (await hasGoneThrough(context, deploy)) await confirmDeploy(context, deploy.id);
  else await takeBack(context, deploy, { why: `git did not move ${deploy.ref}`, grace });
}

/** The same while no Emperor runs: nothing has the traffic, and what is on the air is started later. */
export async function judgeOnDisk(context: DeployContext, deploy: Deploy): Promise<void> {
  if (await hasGoneThrough(context, deploy)) {
    if (deploy.reason === "removal") await confirmDeploy(context, deploy.id);
    else await goLive(context, deploy);
    return;
  }
  if (deploy.reason !== "removal") await undoSteps(context, deploy);
  const why = `git did not move ${deploy.ref}: the server was stopped`;
  conclude(context, deploy, { state: "refused", error: new UserError("REF_MOVED", why) });
}

/** A redeploy's ref stands where it stood, so its switch must have happened as well. */
export async function hasGoneThrough(context: DeployContext, deploy: Deploy): Promise<boolean> {
  return (
    deploy.state === "switched" &&
    (await currentCommit(context.system, gitOf(context, deploy.app), deploy.ref)) ===
      deploy.newCommit
  );
}
