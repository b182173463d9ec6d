import { Command } from "commander";
import { expectAppName } from "../../names/names.ts";
import { withExamples } from "../examples.ts";
import { askServer } from "../ask.ts";
import { wholeNumber } from "../input.ts";

export function makeCommand(): Command {
  const command = new Command("logs")
    .description("Print the end of an app's own log, or of a preview's.")
    .argument("<app>", "its name", expectAppName)
    .option("-b, --branch <branch>", "of the preview of this branch")
    .option("-f, --follow", "go on with every new line", false)
    .option("-n, --lines <number>", "how many lines", wholeNumber, 100)
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
