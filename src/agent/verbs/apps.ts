import { optionsFile } from "../../names/instance.ts";
import { appOptions } from "../../config/app-options.ts";
import { readOptions, starterFile, withOption } from "../../config/option-table.ts";
import { expectPlaces, pathsOf, userOfApp, type DeployContext } from "../world/context.ts";
import { provideFolders } from "../instance/folders.ts";
import { provideAppUsers } from "../instance/app-users.ts";
import { expectBranchStays } from "../deploy/branch-use.ts";
import { isPresent, readIfPresent, writeAtomically } from "../../system/files.ts";
import {
  changedVariables,
  expectVariablesChange,
  readVariables,
  writeVariables,
} from "../variables/variables.ts";
import type { AgentRequest } from "../../protocol/agent-verbs.ts";
import { expectApp } from "./queries.ts";

/** Makes an app's folders and its options file, or leaves those that are there. */
export async function createApp(context: DeployContext, app: string): Promise<void> {
  await provideAppUsers(context, app);
  await provideFolders(context, app);
  const options = optionsFile(context.config.layout, app);
  if (!(await isPresent(options))) {
    await writeAtomically(
      options,
      starterFile(
        appOptions,
        `What reeve does about ${app}. Also: reeve options ${app} set NAME=VALUE`,
      ),
      { mode: 0o640 },
    );
  }
  context.store.apps.create(app);
}

/** Changes options in the app's file; what else stands in it stays to the letter. */
export async function setOptions(
  context: DeployContext,
  app: string,
  set: Record<string, string>,
): Promise<void> {
  expectApp(context, app);
  const path = optionsFile(context.config.layout, app);
  await context.turns.run(path, async () => {
    const before = (await readIfPresent(path)) ?? "";
    const after = Object.entries(set).reduce(
      (text, [name, value]) => withOption(appOptions, text, name, value),
      before,
    );
    const options = readOptions(appOptions, { path, text: after, code: "OPTION_INVALID" });
    if (["host", "preview_host", "preview_ports"].some((name) => name in set))
      expectPlaces(context, app, options);
    if ("production_branch" in set) expectBranchStays(context, app, options.production_branch);
    await writeAtomically(path, after, { mode: 0o640 });
  });
}

/**
 * Changes the variables of an app that is not on the air, or the set of its previews; for an app that is on
 * the air, the change is a deploy.
 */
export async function changeVariables(
  context: DeployContext,
  { app, change, ofPreviews }: AgentRequest<"changeVariables">,
): Promise<void> {
  expectApp(context, app);
  expectVariablesChange(change);
  const { variables, previewVariables } = pathsOf(context, app);
  const folder = ofPreviews ? previewVariables : variables;
  await writeVariables(
    context.system,
    folder,
    changedVariables(await readVariables(folder), change),
    userOfApp(context, app, ofPreviews),
  );
}
