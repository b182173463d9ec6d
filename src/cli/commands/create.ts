import { Command } from "commander";
import { withExamples } from "../examples.ts";
import { appArgument } from "../flags.ts";
import { askServer } from "../ask.ts";

export function makeCommand(): Command {
  const command = new Command("create")
    .description(
      "Make an app before its first push, so that it can be given variables and options.",
    )
    .addArgument(appArgument())
    .action(async (app: string) => {
      await askServer("create", { app });
      console.log(
        `${app} is made; push to it, or give it variables first: reeve vars ${app} set NAME=value`,
      );
    });
  return withExamples(
    command,
    "reeve create demo",
    "reeve create demo && reeve vars demo set DEBUG=1",
  );
}
