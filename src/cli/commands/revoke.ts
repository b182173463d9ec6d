import { Argument, Command } from "commander";
import { expectAccountName, expectAppName, rightNames, type Right } from "../../names/names.ts";
import { withExamples } from "../examples.ts";
import { askServer } from "../ask.ts";

export function makeCommand(): Command {
  const command = new Command("revoke")
    .description(
      "Take a right in an app back, with those that hold it; the right before it stays. Without RIGHT: all.",
    )
    .argument("<account>", "whose", expectAccountName)
    .argument("<app>", "where", expectAppName)
    .addArgument(new Argument("[right]", "what").choices(rightNames))
    .action(async (account: string, app: string, right: Right | undefined) => {
      const { left } = await askServer("revoke", { account, app, right });
      console.log(`${account} has ${left ? `the right ${left}` : "no right"} in ${app} now.`);
    });
  return withExamples(command, "reeve revoke ada demo deploy", "reeve revoke ada demo");
}
