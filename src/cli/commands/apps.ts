import { Command } from "commander";
import { shortCommit } from "../../names/names.ts";
import { withExamples } from "../examples.ts";
import { askServer } from "../ask.ts";
import { printJson, shortTime, table } from "../table.ts";

export function makeCommand(): Command {
  const command = new Command("apps")
    .description("List the apps, with what each has on the air.")
    .option("--json", "for programs")
    .action(async ({ json }: { json?: boolean }) => {
      const apps = await askServer("apps", {});
      if (json) printJson(apps);
      else if (apps.length === 0)
        console.log("There are no apps yet. Push one, or make one with `reeve create APP`.");
      else {
        const rows = apps.map((app) => [
          app.app,
          app.state,
          app.commit && shortCommit(app.commit),
          shortTime(app.liveSince),
          app.url,
        ]);
        console.log(table(["APP", "STATE", "COMMIT", "SINCE", "URL"], rows));
      }
    });
  return withExamples(command, "reeve apps", "reeve apps --json");
}
