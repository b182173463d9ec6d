import { Command } from "commander";
import { expectAppName } from "../../names/names.ts";
import { withExamples } from "../examples.ts";
import { askServer } from "../ask.ts";

export function makeCommand(): Command {
  const command = new Command("rebuild")
    .description(
      "Build the app's environment anew, with the versions that the index has today, and redeploy.",
    )
    .argument("<app>", "its name", expectAppName)
    .option("-b, --branch <branch>", "the preview of this branch, and not the app itself")
    .action(async (app: string, { branch }: { branch?: string }) => {
      await askServer("rebuild", { app, branch });
    });
  return withExamples(command, "reeve rebuild demo", "reeve rebuild demo && reeve show demo");
}
