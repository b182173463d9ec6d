import { Command } from "commander";
import type { AuditRecord, PastRight } from "../../names/account.ts";
import { withExamples } from "../examples.ts";
import { jsonFlag, linesFlag } from "../flags.ts";
import { pastTime } from "../input.ts";
import { pagesOf } from "../pages.ts";
import { askServer } from "../ask.ts";
import { printList, shortTime, type Columns } from "../table.ts";

interface Flags {
  lines: number;
  rightsAt?: string;
  json?: boolean;
}

export function makeCommand(): Command {
  const command = new Command("audit")
    .description("List who changed what, and who was refused what, the newest first.")
    .addOption(linesFlag(50))
    .option(
      "--rights-at <time>",
      "instead: who had which right then (2026-11-28T20:00, or 2026-11-28T20:00Z)",
      pastTime,
    )
    .addOption(jsonFlag())
    .action(async ({ lines, rightsAt, json }: Flags) => {
      if (rightsAt !== undefined) {
        printList(await askServer("rightsAt", { time: rightsAt }), rightColumns, { json });
        return;
      }
      const entries = await pagesOf(
        lines,
        (limit, before) => askServer("audit", { limit, before }),
        ({ id }) => id,
      );
      printList(entries, columns, { json });
    });
  return withExamples(
    command,
    "reeve audit",
    "reeve audit -n 500 --json",
    "reeve audit --rights-at 2026-11-28T20:00",
  );
}

const columns: Columns<AuditRecord> = {
  AT: ({ at }) => shortTime(at),
  WHO: ({ account }) => account,
  VIA: ({ via }) => via,
  WHAT: ({ action }) => action,
  APP: ({ app }) => app,
  OUTCOME: ({ outcome, times }) => (times > 1 ? `${outcome} ${times} times` : outcome),
  DETAIL: ({ detail }) => detail,
};

const rightColumns: Columns<PastRight> = {
  WHO: ({ account }) => account,
  APP: ({ app }) => app,
  RIGHT: ({ right }) => right,
};
