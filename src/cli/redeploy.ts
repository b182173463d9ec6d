import { Command } from "commander";
import { expectAppName } from "../app/names.ts";
import { withExamples } from "./examples.ts";
import { commandServer } from "./server.ts";

export function redeployCommand(): Command {
  const command = new Command("redeploy")
    .description(
      "Deploy the commit that is on the air once more; git itself sends nothing when nothing changed.",
    )
    .argument("<app>", "its name", expectAppName)
    .action((app: string) => commandServer("redeploy", { app }));
  return withExamples(
    command,
    "reeve redeploy demo",
    "reeve options demo set workers=4 && reeve redeploy demo",
  );
}
