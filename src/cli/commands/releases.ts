import { Command } from "commander";
import { expectAppName, shortCommit } from "../../names/names.ts";
import { withExamples } from "../examples.ts";
import { wholeNumber } from "../input.ts";
import { pagesOf } from "../pages.ts";
import { askServer } from "../ask.ts";
import { printJson, shortTime, table } from "../table.ts";

export function makeCommand(): Command {
  const command = new Command("releases")
    .description(
      "List what an app, or a preview, had on the air, the newest first. `disk`: a rollback to it builds nothing.",
    )
    .argument("<app>", "its name", expectAppName)
    .option("-b, --branch <branch>", "of the preview of this branch")
    .option("-n, --lines <number>", "how many", wholeNumber, 100)
    .option("--json", "for programs")
    .action(async (app: string, flags: { branch?: string; json?: boolean; lines: number }) => {
      const { json, lines, ...of } = flags;
      const releases = await pagesOf(
        Math.max(1, lines),
        (limit, before) => askServer("releases", { app, ...of, limit, before }),
        ({ deploy }) => deploy,
      );
      if (json) {
        printJson(releases);
        return;
      }
      const rows = releases.map((release) => [
        release.live ? "*" : "",
        shortCommit(release.commit),
        release.deploy,
        shortTime(release.liveAt),
        release.account,
        release.onDisk ? "disk" : "git",
        release.subject,
      ]);
      console.log(table(["", "COMMIT", "DEPLOY", "LIVE", "BY", "ON", "SUBJECT"], rows));
    });
  return withExamples(command, "reeve releases demo", "reeve releases demo --json");
}
