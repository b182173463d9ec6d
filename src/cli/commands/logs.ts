import { Command, Option } from "commander";
import { withExamples } from "../examples.ts";
import { appArgument, branchFlag, linesFlag } from "../flags.ts";
import { wholeNumber } from "../input.ts";
import { askServer } from "../ask.ts";

interface Flags {
  branch?: string;
  follow: boolean;
  lines: number;
  deploy?: number;
}

export function makeCommand(): Command {
  const command = new Command("logs")
    .description(
      "Print the end of an app's own log, or of a preview's, or everything that one deploy said.",
    )
    .addArgument(appArgument())
    .addOption(branchFlag())
    .option("-f, --follow", "go on with every new line", false)
    .addOption(linesFlag(100))
    .addOption(
      new Option("--deploy <number>", "what this deploy said, from beginning to end")
        .argParser(wholeNumber)
        .conflicts(["branch", "follow"]),
    )
    .action(async (app: string, { deploy, ...flags }: Flags) => {
      if (deploy === undefined) await askServer("logs", { app, ...flags });
      else process.stdout.write(await askServer("deployLog", { app, number: deploy }));
    });
  return withExamples(
    command,
    "reeve logs demo",
    "reeve logs demo -f -n 20",
    "reeve logs demo -b feature/new-cart",
    "reeve logs demo --deploy 12",
  );
}
