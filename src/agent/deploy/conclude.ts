import { describeError, type UserError } from "../../errors.ts";
import { withoutCredentials } from "../../system/credentials.ts";
import type { Deploy } from "../store/deploys.ts";
import type { DeployContext } from "../world/context.ts";
import type { DeployReport } from "./report.ts";

/** How a deploy ended. */
export type Outcome =
  | { state: "live" }
  /** A removal: the instance is gone. */
  | { state: "removed" }
  | { state: "refused"; error: UserError };

/**
 * Writes down that a deploy has ended, and how: every one ends here, and here is where others can be told. What it
 * said so far is in its log afterwards. Returns the milliseconds that it took.
 */
export function conclude(
  { store, attempts }: Pick<DeployContext, "store" | "attempts">,
  deploy: Deploy,
  outcome: Outcome,
  report?: DeployReport,
): number {
  report?.rest();
  const now = new Date();
  const milliseconds = Math.max(0, now.getTime() - new Date(deploy.startedAt).getTime());
  switch (outcome.state) {
    case "live":
      store.recordLive(deploy, {
        liveAt: now.toISOString(),
        milliseconds,
        // The vassal for good has the release already: nothing follows.
        settled: deploy.strategy === "restart",
      });
      break;
    case "removed":
      store.deploys.change(deploy.id, { state: "removed", milliseconds });
      break;
    case "refused":
      store.deploys.change(deploy.id, {
        state: "refused",
        error: withoutCredentials(describeError(outcome.error).join("\n")),
        milliseconds,
      });
  }
  // One that could not be written down has not ended: whoever stopped it has still stopped it.
  attempts.end(deploy.id);
  return milliseconds;
}
