import { Command } from "commander";
import { shortCommit } from "../../names/names.ts";
import type { DeploySummary } from "../../protocol/readings.ts";
import { withExamples } from "../examples.ts";
import { appArgument, jsonFlag, linesFlag } from "../flags.ts";
import { pagesOf } from "../pages.ts";
import { askServer } from "../ask.ts";
import { printList, shortTime, type Columns } from "../table.ts";

export function makeCommand(): Command {
  const command = new Command("deploys")
    .description(
      "List an app's deploys, the newest first: who, what, when, how long, and how it ended.",
    )
    .addArgument(appArgument())
    .addOption(linesFlag(20))
    .addOption(jsonFlag(", with every step"))
    .action(async (app: string, { json, lines }: { json?: boolean; lines: number }) => {
      const deploys = await pagesOf(
        lines,
        (limit, before) => askServer("deploys", { app, limit, before }),
        ({ number }) => number,
      );
      printList(deploys, columns, { json });
    });
  return withExamples(command, "reeve deploys demo", "reeve deploys demo -n 5 --json");
}

const columns: Columns<DeploySummary> = {
  NO: ({ number }) => number,
  STARTED: ({ startedAt }) => shortTime(startedAt),
  WHY: ({ reason }) => reason,
  COMMIT: ({ newCommit }) => shortCommit(newCommit),
  BY: ({ account }) => account,
  STATE: ({ state }) => state,
  TOOK: ({ milliseconds }) => (milliseconds === null ? null : `${milliseconds} ms`),
  NOTE: ({ error, note }) => /^error\[(\w+)\]/.exec(error ?? "")?.[1] ?? note ?? "",
  SUBJECT: ({ subject }) => subject,
};
