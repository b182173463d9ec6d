import { hasCode } from "../../errors.ts";
import type { Deploy } from "../store/deploys.ts";
import type { Task } from "../world/background-work.ts";
import type { DeployContext } from "../world/context.ts";
import { converge, type Attempt } from "./converge.ts";
import type { Progress } from "./plan.ts";
import { retrySoon } from "./retiring.ts";
import { tidy } from "./tidy.ts";

/** Milliseconds after which a degraded instance is tried again. */
const retryLater = 30_000;

/**
 * Settling is what follows a deploy that is live: behind the understudy, which carries the traffic, the
 * permanent vassal is brought to the same release; then it takes the traffic back. Every step asks first
 * whether a newer deploy has come, which then settles in its place. `from`: how far it has come already.
 */
export function startSettling(
  context: DeployContext,
  instance: string,
  deploy: number,
  from: Progress = "outdated",
): void {
  context.background.settle(instance, deploy, async (task) => {
    const attempt: Attempt = { progress: from, onDisk: false, goOn: task.goOn };
    await settle(context, task, attempt).catch((error: unknown) => {
      const what = attempt.progress === "settled" ? "clear away" : "settle";
      context.log.error({ err: error, instance }, `could not ${what}`);
      again(context, task, attempt, retrySoon);
    });
  });
}

async function settle(context: DeployContext, task: Task, attempt: Attempt): Promise<void> {
  const row = context.store.instances.get(task.instance);
  const deploy = context.store.deploys.get(task.deploy);
  if (!row || !deploy) return;
  while (!task.isSuperseded()) {
    try {
      const next = await converge(context, { row, deploy }, attempt);
      if (next.do === "settle") {
        attempt.progress = "outdated";
        continue;
      }
      if (next.do === "try again")
        again(context, task, attempt, next.soon ? retrySoon : retryLater);
      else await clearAway(context, row.name);
      return;
    } catch (error) {
      if (!task.isSuperseded()) fail(context, deploy, attempt, error);
    }
  }
  if (attempt.progress !== "settled") note(context, deploy, "superseded");
}

/** What a deploy that has settled needs no more. */
async function clearAway(context: DeployContext, instance: string): Promise<void> {
  await tidy(context, instance);
  // What the last requests stand in goes when they have ended.
  context.background
    .allRetired(instance)
    .then(() => tidy(context, instance))
    .catch(() => undefined);
}

/** The plan goes on from a failure, unless it has come to its end already, or failed at that. */
function fail(context: DeployContext, deploy: Deploy, attempt: Attempt, error: unknown): void {
  const { instance } = deploy;
  switch (attempt.progress) {
    case "settled":
    case "failed":
      throw error;
    case "degraded":
      context.log.error({ err: error, instance }, "could not stop the vassal that failed");
      attempt.progress = "held";
      break;
    default:
      context.log.error({ err: error, instance }, "the permanent vassal did not come up");
      attempt.problem = error instanceof Error ? error.message : String(error);
      attempt.progress = hasCode(error, "EMPEROR_DOWN") ? "interrupted" : "failed";
      note(context, deploy, attempt.problem);
  }
}

function again(context: DeployContext, task: Task, { progress }: Attempt, after: number): void {
  setTimeout(() => {
    if (task.isSuperseded()) return;
    const from = progress === "settled" ? progress : undefined;
    startSettling(context, task.instance, task.deploy, from);
  }, after).unref();
}

function note({ store }: DeployContext, { id }: Deploy, words: string): void {
  store.deploys.change(id, { note: words });
}
