import { Command } from "commander";
import { expectAppName, shortCommit } from "../../names/names.ts";
import { withExamples } from "../examples.ts";
import { askServer } from "../ask.ts";
import { printJson, shortTime, table } from "../table.ts";

export function makeCommand(): Command {
  const command = new Command("previews")
    .description("List an app's previews: where each answers, and until when it is kept.")
    .argument("<app>", "its name", expectAppName)
    .option("--json", "for programs")
    .action(async (app: string, { json }: { json?: boolean }) => {
      const previews = await askServer("previews", { app });
      if (json) printJson(previews);
      else if (previews.length === 0)
        console.log(`${app} has no previews. Push a branch: git push deploy BRANCH`);
      else {
        const rows = previews.map((preview) => [
          preview.branch,
          preview.state,
          preview.commit && shortCommit(preview.commit),
          shortTime(preview.usedAt),
          preview.pinned ? "pinned" : shortTime(preview.goesAt),
          preview.url,
        ]);
        console.log(table(["BRANCH", "STATE", "COMMIT", "USED", "KEPT UNTIL", "URL"], rows));
      }
    });
  return withExamples(command, "reeve previews demo", "reeve previews demo --json");
}
