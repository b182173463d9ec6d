import { Command } from "commander";
import { shortCommit } from "../../names/names.ts";
import type { ReleaseSummary } from "../../protocol/readings.ts";
import { withExamples } from "../examples.ts";
import { appArgument, branchFlag, jsonFlag, linesFlag } from "../flags.ts";
import { pagesOf } from "../pages.ts";
import { askServer } from "../ask.ts";
import { printList, shortTime, type Columns } from "../table.ts";

export function makeCommand(): Command {
  const command = new Command("releases")
    .description(
      "List what an app, or a preview, had on the air, the newest first. `disk`: a rollback to it builds nothing.",
    )
    .addArgument(appArgument())
    .addOption(branchFlag())
    .addOption(linesFlag(100))
    .addOption(jsonFlag())
    .action(async (app: string, flags: { branch?: string; json?: boolean; lines: number }) => {
      const { json, lines, ...of } = flags;
      const releases = await pagesOf(
        lines,
        (limit, before) => askServer("releases", { app, ...of, limit, before }),
        ({ deploy }) => deploy,
      );
      printList(releases, columns, { json });
    });
  return withExamples(command, "reeve releases demo", "reeve releases demo --json");
}

const columns: Columns<ReleaseSummary> = {
  "": ({ live }) => (live ? "*" : ""),
  COMMIT: ({ commit }) => shortCommit(commit),
  DEPLOY: ({ deploy }) => deploy,
  LIVE: ({ liveAt }) => shortTime(liveAt),
  BY: ({ account }) => account,
  ON: ({ onDisk }) => (onDisk ? "disk" : "git"),
  SUBJECT: ({ subject }) => subject,
};
