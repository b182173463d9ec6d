import { Command } from "commander";
import { withExamples } from "../examples.ts";
import { appArgument } from "../flags.ts";
import { wholeNumber } from "../input.ts";
import { askServer } from "../ask.ts";

export function makeCommand(): Command {
  const command = new Command("deploy-log")
    .description("Print everything that one deploy said.")
    .addArgument(appArgument())
    .argument("<number>", "the deploy's number", wholeNumber)
    .action(async (app: string, number: number) => {
      process.stdout.write(await askServer("deployLog", { app, number }));
    });
  return withExamples(command, "reeve deploy-log demo 12", "reeve deploy-log demo 12 | less");
}
