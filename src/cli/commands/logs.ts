import { Command } from "commander";
import { withExamples } from "../examples.ts";
import { appArgument, branchFlag, linesFlag } from "../flags.ts";
import { askServer } from "../ask.ts";

export function makeCommand(): Command {
  const command = new Command("logs")
    .description("Print the end of an app's own log, or of a preview's.")
    .addArgument(appArgument())
    .addOption(branchFlag())
    .option("-f, --follow", "go on with every new line", false)
    .addOption(linesFlag(100))
    .action(async (app: string, flags: { branch?: string; follow: boolean; lines: number }) => {
      await askServer("logs", { app, ...flags });
    });
  return withExamples(
    command,
    "reeve logs demo",
    "reeve logs demo -f -n 20",
    "reeve logs demo -b feature/new-cart",
  );
}
