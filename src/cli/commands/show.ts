import { Command } from "commander";
import { shortCommit } from "../../names/names.ts";
import { webOf } from "../../names/process.ts";
import { withExamples } from "../examples.ts";
import { appArgument, jsonFlag } from "../flags.ts";
import { askServer } from "../ask.ts";
import { printJson, shortTime } from "../table.ts";

export function makeCommand(): Command {
  const command = new Command("show")
    .description("Show one app: where it answers, its release, its environment and its packages.")
    .addArgument(appArgument())
    .addOption(jsonFlag())
    .action(async (app: string, { json }: { json?: boolean }) => {
      const details = await askServer("show", { app });
      if (json) {
        printJson(details);
        return;
      }
      const lines: [string, string | null][] = [
        ["app", details.app],
        ["state", details.degraded ? `degraded: ${details.degraded}` : details.state],
        ["url", details.url],
        ["commit", details.commit && `${shortCommit(details.commit)} "${details.subject ?? ""}"`],
        ["since", shortTime(details.liveSince)],
        ["branch", details.branch],
        ["runs", webOf(details.processes)?.module ?? null],
        ["release", details.release],
        ["environment", details.environment],
        ["user", details.user],
        ["packages", details.packages.join(", ") || null],
        ["deploys", String(details.deploys)],
      ];
      for (const [name, value] of lines) console.log(`${name.padEnd(12)} ${value ?? "-"}`);
    });
  return withExamples(command, "reeve show demo", "reeve show demo --json");
}
