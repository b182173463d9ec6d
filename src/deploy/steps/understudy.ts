import { UserError } from "../../errors.ts";
import { logSince, provideLog, reasonOfFailure } from "../../vassal/app-log.ts";
import { bootVassal, proveHealthy } from "../../vassal/vassal.ts";
import { runnerOf } from "../context.ts";
import type { Step } from "../step.ts";
import {
  discardUnderstudy,
  healthCheck,
  planIni,
  understudyOf,
  understudyText,
} from "../understudy.ts";

/** Boots the release beside the one that is on the air, and asks it whether it is well. */
export const understudyStep: Step = {
  name: "understudy",
  run: async ({ context, options, instance, deploy, line, signal }) => {
    const understudy = understudyOf(context, instance.name, deploy.number);
    const runner = runnerOf(context, instance.name);
    // The Emperor's hook is about to put the vassal into its group; a build may have come between since it was said first.
    context.groups.announce();
    const [planned] = await Promise.all([
      planIni(context, { instance, deploy, options }),
      provideLog(understudy.log, runner, context.host.isRoot),
    ]);
    if (planned.edited) line("  vassal       edited by hand: left as it is, and proven as it is");
    await bootVassal(
      context.emperor,
      understudy.ini,
      understudyText(context, instance, deploy, planned),
    );
    const check = healthCheck(context, instance, options);
    const health = await proveHealthy(context.emperor, understudy, check, signal);
    if (health.healthy) return `healthy (GET ${check.question.path} ${health.status})`;
    throw unhealthy(health.problem, await logSince(understudy.log, 0));
  },
  undo: (context, deploy) =>
    discardUnderstudy(
      context,
      deploy.instance,
      understudyOf(context, deploy.instance, deploy.number),
    ),
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
