import { UserError } from "../../../errors.ts";
import type { Vassal } from "../../../names/vassal.ts";
import { milliseconds } from "../../../system/clock.ts";
import { healthCheck } from "../../instance/inis.ts";
import { logSince, reasonOfFailure, untilStarted } from "../../vassal/app-log.ts";
import type { Booting, Preparation, Step } from "../step.ts";

/** Waits for the answer for which the vassal has been asked since it boots. */
export const healthStep: Step = {
  name: "health",
  run: async ({ context, instance, options, booting }) => {
    if (!booting) throw new Error("nothing boots whose health could be asked for");
    const health = await booting.health;
    if (!health.healthy) throw await unhealthyBoot(booting, health.problem);
    const { path } = healthCheck(context, instance, options).request;
    const answered = `healthy (GET ${path} ${health.status})`;
    if (booting.stopped === undefined) return answered;
    return `${answered}, off the air for ${Math.round(milliseconds() - booting.stopped)} ms`;
  },
  // What boots is taken back by the step that began it.
  undo: () => Promise.resolve(),
};

/**
 * Waits for a vassal that boots, and is asked meanwhile, so that its first answer is known at once. Resolves when its
 * app is imported: it says so in its log, or somebody answered.
 */
export async function bootedOf(
  preparation: Preparation,
  { log }: Vassal,
  { from, health, stopped }: Omit<Booting, "log">,
): Promise<string> {
  const booting = { log, from, health, stopped };
  preparation.booting = booting;
  const over = new AbortController();
  const answered = health.finally(() => over.abort());
  await Promise.race([answered, untilStarted(log, from, over.signal)]);
  if (over.signal.aborted) await expectBooted(booting);
  return "started";
}

/** Of a vassal that has answered, or will not: one that was asked has booted, however it answered. */
async function expectBooted(booting: Booting): Promise<void> {
  const health = await booting.health;
  if (health.healthy || health.problem.startsWith("GET ")) return;
  const { log, from } = booting;
  if (!(await untilStarted(log, from, AbortSignal.abort())))
    throw await unhealthyBoot(booting, health.problem);
}

async function unhealthyBoot({ log, from }: Booting, problem: string): Promise<UserError> {
  return unhealthy(problem, await logSince(log, from));
}

/** What the pusher reads: the app's own words. */
export function unhealthy(problem: string, log: string[]): UserError {
  const asked = problem.startsWith("GET ")
    ? {
        hint: "Mend what the app's own words above say, or have something else asked: reeve options APP set health_path=/up",
      }
    : {};
  const reason = reasonOfFailure(log);
  const words = reason.length > 0 ? reason : ["(it wrote nothing about that to its log)"];
  return new UserError("APP_UNHEALTHY", [problem, ...words].join("\n"), asked);
}
