import {
  changedSettings,
  dropProposedSettings,
  proposedSettings,
  readSettings,
  writeSettings,
} from "../../settings/settings.ts";
import { pathsOf } from "../context.ts";
import type { Step } from "../step.ts";

/** A change of the settings, beside those that the app has: it becomes theirs when the deploy is live. */
export const settingsStep: Step = {
  name: "settings",
  run: async ({ context, instance, settings: change }) => {
    if (!change) return undefined;
    const { settings } = pathsOf(context, instance.name);
    const proposed = changedSettings(await readSettings(settings), change);
    await writeSettings(
      context.host,
      proposedSettings(settings),
      proposed,
      context.identities.apps,
    );
    return undefined;
  },
  undo: (context, deploy) => dropProposedSettings(pathsOf(context, deploy.instance).settings),
};
