import { Command } from "commander";
import { shortCommit } from "../../names/names.ts";
import type { AppSummary } from "../../protocol/readings.ts";
import { withExamples } from "../examples.ts";
import { jsonFlag } from "../flags.ts";
import { askServer } from "../ask.ts";
import { printList, shortTime, type Columns } from "../table.ts";

export function makeCommand(): Command {
  const command = new Command("apps")
    .description("List the apps, with what each has on the air.")
    .addOption(jsonFlag())
    .action(async ({ json }: { json?: boolean }) => {
      const none = "There are no apps yet. Push one, or make one with `reeve create APP`.";
      printList(await askServer("apps", {}), columns, { json, none });
    });
  return withExamples(command, "reeve apps", "reeve apps --json");
}

const columns: Columns<AppSummary> = {
  APP: ({ app }) => app,
  STATE: ({ state }) => state,
  COMMIT: ({ commit }) => commit && shortCommit(commit),
  SINCE: ({ liveSince }) => shortTime(liveSince),
  URL: ({ url }) => url,
};
