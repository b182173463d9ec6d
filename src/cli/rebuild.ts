import { Command } from "commander";
import { expectAppName } from "../app/names.ts";
import { withExamples } from "./examples.ts";
import { commandServer } from "./server.ts";

export function rebuildCommand(): Command {
  const command = new Command("rebuild")
    .description(
      "Build the app's environment anew, with the versions that the index has today, and redeploy.",
    )
    .argument("<app>", "its name", expectAppName)
    .action((app: string) => commandServer("rebuild", { app }));
  return withExamples(command, "reeve rebuild demo", "reeve rebuild demo && reeve show demo");
}
