import { Command } from "commander";
import { expectAppName } from "../app/names.ts";
import { withExamples } from "./examples.ts";
import { commandServer } from "./server.ts";

export function cancelCommand(): Command {
  const command = new Command("cancel")
    .description("End the deploy that an app is in the middle of; what is on the air stays.")
    .argument("<app>", "its name", expectAppName)
    .action((app: string) => commandServer("cancel", { app }));
  return withExamples(command, "reeve cancel demo", "reeve cancel demo && reeve deploys demo");
}
