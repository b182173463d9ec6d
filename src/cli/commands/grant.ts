import { Argument, Command } from "commander";
import { expectAccountName, expectAppName, rightNames, type Right } from "../../names/names.ts";
import { withExamples } from "../examples.ts";
import { askServer } from "../ask.ts";

export function makeCommand(): Command {
  const command = new Command("grant")
    .description(
      "Give an account a right in an app. Each right holds those before it: read, preview, deploy, admin.",
    )
    .argument("<account>", "who", expectAccountName)
    .argument("<app>", "where", expectAppName)
    .addArgument(new Argument("<right>", "what").choices(rightNames))
    .action(async (account: string, app: string, right: Right) => {
      await askServer("grant", { account, app, right });
      console.log(`${account} has the right ${right} in ${app}.`);
    });
  return withExamples(command, "reeve grant ada demo deploy", "reeve grant grace demo preview");
}
