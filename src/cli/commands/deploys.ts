import { Command } from "commander";
import { expectAppName, shortCommit } from "../../names/names.ts";
import { withExamples } from "../examples.ts";
import { wholeNumber } from "../input.ts";
import { pagesOf } from "../pages.ts";
import { askServer } from "../ask.ts";
import { printJson, shortTime, table } from "../table.ts";

export function makeCommand(): Command {
  const command = new Command("deploys")
    .description(
      "List an app's deploys, the newest first: who, what, when, how long, and how it ended.",
    )
    .argument("<app>", "its name", expectAppName)
    .option("-n, --lines <number>", "how many", wholeNumber, 20)
    .option("--json", "for programs, with every step")
    .action(async (app: string, { json, lines }: { json?: boolean; lines: number }) => {
      const deploys = await pagesOf(
        Math.max(1, lines),
        (limit, before) => askServer("deploys", { app, limit, before }),
        ({ number }) => number,
      );
      if (json) {
        printJson(deploys);
        return;
      }
      const rows = deploys.map((deploy) => [
        deploy.number,
        shortTime(deploy.startedAt),
        deploy.reason,
        shortCommit(deploy.newCommit),
        deploy.account,
        deploy.state,
        deploy.milliseconds === null ? null : `${deploy.milliseconds} ms`,
        /^error\[(\w+)\]/.exec(deploy.error ?? "")?.[1] ?? deploy.note ?? "",
        deploy.subject,
      ]);
      console.log(
        table(["NO", "STARTED", "WHY", "COMMIT", "BY", "STATE", "TOOK", "NOTE", "SUBJECT"], rows),
      );
    });
  return withExamples(command, "reeve deploys demo", "reeve deploys demo -n 5 --json");
}
