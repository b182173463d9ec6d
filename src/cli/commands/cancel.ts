import { Command } from "commander";
import { expectAppName } from "../../names/names.ts";
import { withExamples } from "../examples.ts";
import { askServer } from "../ask.ts";

export function makeCommand(): Command {
  const command = new Command("cancel")
    .description("End the deploy that an app is in the middle of; what is on the air stays.")
    .argument("<app>", "its name", expectAppName)
    .option("-b, --branch <branch>", "the preview of this branch, and not the app itself")
    .action(async (app: string, { branch }: { branch?: string }) => {
      await askServer("cancel", { app, branch });
    });
  return withExamples(command, "reeve cancel demo", "reeve cancel demo && reeve deploys demo");
}
