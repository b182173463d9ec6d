import { Command } from "commander";
import { withExamples } from "./examples.ts";
import { wholeNumber } from "./logs.ts";
import { pagesOf } from "./pages.ts";
import { askAccounts } from "./server.ts";
import { printJson, shortTime, table } from "./table.ts";

export function auditCommand(): Command {
  const command = new Command("audit")
    .description("List who changed what, and who was refused what, the newest first.")
    .option("-n, --lines <number>", "how many", wholeNumber, 50)
    .option("--json", "for programs")
    .action(async ({ lines, json }: { lines: number; json?: boolean }) => {
      const entries = await pagesOf(
        Math.max(1, lines),
        (limit, before) => askAccounts("audit", { limit, before }),
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
        entry.outcome,
        entry.detail,
      ]);
      console.log(table(["AT", "WHO", "VIA", "WHAT", "APP", "OUTCOME", "DETAIL"], rows));
    });
  return withExamples(command, "reeve audit", "reeve audit -n 500 --json");
}
