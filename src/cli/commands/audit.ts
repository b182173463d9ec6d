import { Command, InvalidArgumentError } from "commander";
import { withExamples } from "../examples.ts";
import { wholeNumber } from "../input.ts";
import { pagesOf } from "../pages.ts";
import { askServer } from "../ask.ts";
import { printJson, shortTime, table } from "../table.ts";

interface Flags {
  lines: number;
  rightsAt?: string;
  json?: boolean;
}

export function makeCommand(): Command {
  const command = new Command("audit")
    .description("List who changed what, and who was refused what, the newest first.")
    .option("-n, --lines <number>", "how many", wholeNumber, 50)
    .option(
      "--rights-at <time>",
      "instead: who had which right then (2026-11-28T20:00, or 2026-11-28T20:00Z)",
      pastTime,
    )
    .option("--json", "for programs")
    .action(async ({ lines, rightsAt, json }: Flags) => {
      if (rightsAt !== undefined) {
        await listRights(rightsAt, json ?? false);
        return;
      }
      const entries = await pagesOf(
        Math.max(1, lines),
        (limit, before) => askServer("audit", { limit, before }),
        ({ id }) => id,
      );
      if (json) {
        printJson(entries);
        return;
      }
      const rows = entries.map((entry) => [
        shortTime(entry.at),
        entry.account,
        entry.via,
        entry.action,
        entry.app,
        entry.times > 1 ? `${entry.outcome} ${entry.times} times` : entry.outcome,
        entry.detail,
      ]);
      console.log(table(["AT", "WHO", "VIA", "WHAT", "APP", "OUTCOME", "DETAIL"], rows));
    });
  return withExamples(
    command,
    "reeve audit",
    "reeve audit -n 500 --json",
    "reeve audit --rights-at 2026-11-28T20:00",
  );
}

async function listRights(time: string, json: boolean): Promise<void> {
  const found = await askServer("rightsAt", { time });
  if (json) {
    printJson(found);
    return;
  }
  const rows = found.map(({ account, app, right }) => [account, app, right]);
  console.log(table(["WHO", "APP", "RIGHT"], rows));
}

/** Without a zone it is the reader's own time. */
function pastTime(text: string): string {
  const time = new Date(text);
  if (Number.isNaN(time.getTime())) throw new InvalidArgumentError("It is not a time.");
  return time.toISOString();
}
