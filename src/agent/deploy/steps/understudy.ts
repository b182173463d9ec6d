import { UserError } from "../../../errors.ts";
import { logSince, reasonOfFailure } from "../../vassal/app-log.ts";
import { healthCheck, iniOf, planIni } from "../../instance/inis.ts";
import { note, type Step } from "../step.ts";
import { boot, discard, prove, understudyFor } from "../../instance/vassals.ts";

/** Boots the release beside the one that is on the air, and asks it whether it is well. */
export const understudyStep: Step = {
  name: "understudy",
  run: async (preparation) => {
    const { context, options, instance, deploy, line, signal } = preparation;
    note(preparation, { strategy: "overlap" });
    const understudy = understudyFor(context, deploy);
    // The Emperor's hook is about to put the vassal into its group; a build may have come between since it was said first.
    context.groups.announce();
    const planned = await planIni(context, { instance, deploy, options });
    if (planned.edited) line("  vassal       edited by hand: left as it is, and proven as it is");
    const { text } = planned;
    await boot(context, understudy, iniOf(context, understudy, { deploy, options, text }));
    const health = await prove(context, understudy, { instance, options }, signal);
    const { path } = healthCheck(context, instance, options).request;
    if (health.healthy) return `healthy (GET ${path} ${health.status})`;
    throw unhealthy(health.problem, await logSince(understudy.log, 0));
  },
  undo: (context, deploy) => discard(context, understudyFor(context, deploy)),
};

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
