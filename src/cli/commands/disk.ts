import { Command } from "commander";
import { expectAppName } from "../../names/names.ts";
import type { DiskUse } from "../../protocol/readings.ts";
import { askServer } from "../ask.ts";
import { withExamples } from "../examples.ts";
import { jsonFlag } from "../flags.ts";
import { printList, shortSize, type Columns } from "../table.ts";

type Use = DiskUse & { app: string };

export function makeCommand(): Command {
  const command = new Command("disk")
    .description(
      "Show what an app takes on the disk, or every app does. `MAY GO`: what reeve makes again where it is wanted.",
    )
    .argument("[app]", "its name", expectAppName)
    .addOption(jsonFlag(", in bytes"))
    .action(async (named: string | undefined, { json }: { json?: boolean }) => {
      const apps = named === undefined ? await askServer("apps", {}) : [{ app: named }];
      const rows: Use[] = [];
      for (const { app } of apps)
        rows.push(...(await askServer("disk", { app })).map((use) => ({ app, ...use })));
      printList(rows, columns, { json });
    });
  return withExamples(command, "reeve disk", "reeve disk demo --json");
}

const columns: Columns<Use> = {
  APP: ({ app, of }) => (of === "app" ? app : `${app}, previews`),
  RELEASES: ({ releases }) => shortSize(releases),
  ENVIRONMENTS: ({ environments }) => shortSize(environments),
  CACHES: ({ caches }) => shortSize(caches),
  DATA: ({ data }) => shortSize(data),
  LOGS: ({ logs }) => shortSize(logs),
  REPOSITORY: ({ repository }) => shortSize(repository),
  "MAY GO": ({ mayGo }) => shortSize(mayGo),
};
