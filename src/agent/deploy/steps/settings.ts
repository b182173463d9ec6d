import { placeUrl } from "../../../names/instance.ts";
import {
  changedSettings,
  dropProposedSettings,
  proposedSettings,
  readSettings,
  writeSettings,
  type ReleaseVariables,
} from "../../variables/settings.ts";
import { pathsOf, userOf, settingsSource } from "../../world/context.ts";
import type { Preparation, Step } from "../step.ts";

/**
 * What the app will see: its settings, with what this deploy changes in them, and what reeve says of the
 * release. It becomes the instance's when the deploy is live.
 */
export const settingsStep: Step = {
  name: "settings",
  run: async (preparation) => {
    const { context, instance, options, deploy, settings: change } = preparation;
    const current = await readSettings(settingsSource(context, instance, options));
    const variables = Object.entries(variablesOf(preparation));
    await writeSettings(
      context.system,
      proposedSettings(pathsOf(context, instance.name).settings, deploy.number),
      new Map([...(change ? changedSettings(current, change) : current), ...variables]),
      userOf(context, instance.name),
    );
    return undefined;
  },
  undo: (context, deploy) =>
    dropProposedSettings(context.system, pathsOf(context, deploy.instance).settings, deploy.number),
};

function variablesOf({ context, instance, deploy }: Preparation): ReleaseVariables {
  return {
    REEVE_APP: instance.app,
    REEVE_BRANCH: instance.branch,
    REEVE_COMMIT: deploy.newCommit,
    REEVE_URL: placeUrl(instance.place, context.config.server.port),
  };
}
