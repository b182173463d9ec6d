import { Command } from "commander";
import { withExamples } from "./examples.ts";
import { commandServer } from "./server.ts";

export function rebuildCommand(): Command {
  const command = new Command("rebuild")
    .description(
      "Build the app's environment anew, with the versions that the index has today, and redeploy.",
    )
    .argument("<app>")
    .action((app: string) => commandServer("rebuild", { app }));
  return withExamples(command, "reeve rebuild demo", "reeve rebuild demo && reeve show demo");
}
