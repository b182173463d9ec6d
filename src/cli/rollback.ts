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
    .option("-b, --branch <branch>", "the preview of this branch, and not the app itself")
    .action(async (app: string, release: string | undefined, flags: { branch?: string }) => {
      const { branch } = flags;
      const question = { app, ...(release === undefined ? {} : { release }) };
      if (branch === undefined) await commandServer("rollback", question);
      else await commandServer("rollbackPreview", { ...question, branch });
    });
  return withExamples(
    command,
    "reeve rollback demo",
    "reeve rollback demo 3f2a91c",
    "reeve rollback demo -b feature/new-cart",
  );
}
