import { placeUrl } from "../../../names/instance.ts";
import { visitedAt } from "../../../config/visited.ts";
import {
  changedVariables,
  dropProposedVariables,
  proposedVariables,
  readVariables,
  writeVariables,
  type ReleaseVariables,
} from "../../variables/variables.ts";
import { pathsOf, userOf, variablesSource } from "../../world/context.ts";
import type { Preparation, Step } from "../step.ts";

/**
 * What the app will see: its variables, with what this deploy changes in them, and what reeve says of the
 * release. It becomes the instance's when the deploy is live.
 */
export const variablesStep: Step = {
  name: "variables",
  run: async (preparation) => {
    const { context, instance, options, deploy, variables: change } = preparation;
    const current = await readVariables(variablesSource(context, instance, options));
    const ofRelease = Object.entries(releaseVariables(preparation));
    await writeVariables(
      context.system,
      proposedVariables(pathsOf(context, instance.name).variables, deploy.number),
      new Map([...(change ? changedVariables(current, change) : current), ...ofRelease]),
      userOf(context, instance.name),
    );
    return undefined;
  },
  undo: (context, deploy) =>
    dropProposedVariables(
      context.system,
      pathsOf(context, deploy.instance).variables,
      deploy.number,
    ),
};

function releaseVariables({ context, instance, deploy }: Preparation): ReleaseVariables {
  return {
    REEVE_APP: instance.app,
    REEVE_BRANCH: instance.branch,
    REEVE_COMMIT: deploy.newCommit,
    REEVE_URL: placeUrl(instance.place, visitedAt(context.config.server)),
  };
}
