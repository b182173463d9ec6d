import { Command } from "commander";
import { withExamples } from "../examples.ts";
import { appArgument, branchFlag } from "../flags.ts";
import { askServer } from "../ask.ts";

export function makeCommand(): Command {
  const command = new Command("cancel")
    .description("End the deploy that an app is in the middle of; what is on the air stays.")
    .addArgument(appArgument())
    .addOption(branchFlag())
    .action(async (app: string, { branch }: { branch?: string }) => {
      await askServer("cancel", { app, branch });
    });
  return withExamples(command, "reeve cancel demo", "reeve cancel demo && reeve deploys demo");
}
