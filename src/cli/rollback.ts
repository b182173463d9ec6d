import { Command } from "commander";
import { expectAppName } from "../app/names.ts";
import { withExamples } from "./examples.ts";
import { commandServer } from "./server.ts";

export function rollbackCommand(): Command {
  const command = new Command("rollback")
    .description(
      "Put an older release on the air, and move the branch to it. Without RELEASE: the one before.",
    )
    .argument("<app>", "its name", expectAppName)
    .argument("[release]", "the start of its commit, or its deploy's number")
    .action(async (app: string, release?: string) => {
      await commandServer("rollback", { app, ...(release === undefined ? {} : { release }) });
    });
  return withExamples(command, "reeve rollback demo", "reeve rollback demo 3f2a91c");
}
