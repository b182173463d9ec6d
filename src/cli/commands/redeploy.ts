import { Command } from "commander";
import { withExamples } from "../examples.ts";
import { appArgument, branchFlag } from "../flags.ts";
import { askServer } from "../ask.ts";

export function makeCommand(): Command {
  const command = new Command("redeploy")
    .description(
      "Deploy the commit that is on the air once more; git itself sends nothing when nothing changed.",
    )
    .addArgument(appArgument())
    .addOption(branchFlag())
    .action(async (app: string, { branch }: { branch?: string }) => {
      await askServer("redeploy", { app, branch });
    });
  return withExamples(
    command,
    "reeve redeploy demo",
    "reeve options demo set web_processes=4 && reeve redeploy demo",
  );
}
