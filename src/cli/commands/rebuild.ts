import { Command } from "commander";
import { withExamples } from "../examples.ts";
import { appArgument, branchFlag } from "../flags.ts";
import { askServer } from "../ask.ts";

export function makeCommand(): Command {
  const command = new Command("rebuild")
    .description(
      "Build the app's environment anew, with the versions that the index has today, and redeploy.",
    )
    .addArgument(appArgument())
    .addOption(branchFlag())
    .action(async (app: string, { branch }: { branch?: string }) => {
      await askServer("rebuild", { app, branch });
    });
  return withExamples(command, "reeve rebuild demo", "reeve rebuild demo && reeve show demo");
}
