import { Command } from "commander";
import { shortCommit } from "../../names/names.ts";
import type { PreviewSummary } from "../../protocol/readings.ts";
import { withExamples } from "../examples.ts";
import { appArgument, jsonFlag } from "../flags.ts";
import { askServer } from "../ask.ts";
import { printList, shortTime, type Columns } from "../table.ts";

export function makeCommand(): Command {
  const command = new Command("previews")
    .description("List an app's previews: where each answers, and until when it is kept.")
    .addArgument(appArgument())
    .addOption(jsonFlag())
    .action(async (app: string, { json }: { json?: boolean }) => {
      const none = `${app} has no previews. Push a branch: git push deploy BRANCH`;
      printList(await askServer("previews", { app }), columns, { json, none });
    });
  return withExamples(command, "reeve previews demo", "reeve previews demo --json");
}

const columns: Columns<PreviewSummary> = {
  BRANCH: ({ branch }) => branch,
  STATE: ({ state }) => state,
  COMMIT: ({ commit }) => commit && shortCommit(commit),
  USED: ({ usedAt }) => shortTime(usedAt),
  "KEPT UNTIL": ({ pinned, goesAt }) => (pinned ? "pinned" : shortTime(goesAt)),
  URL: ({ url }) => url,
};
