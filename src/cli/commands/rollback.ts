import { Command } from "commander";
import { withExamples } from "../examples.ts";
import { appArgument, branchFlag } from "../flags.ts";
import { askServer } from "../ask.ts";

export function makeCommand(): Command {
  const command = new Command("rollback")
    .description(
      "Put an older release on the air, and move the branch to it. Without RELEASE: the one before.",
    )
    .addArgument(appArgument())
    .argument("[release]", "the start of its commit, or its deploy's number")
    .addOption(branchFlag())
    .action(async (app: string, release: string | undefined, flags: { branch?: string }) => {
      await askServer("rollback", { app, ...flags, release });
    });
  return withExamples(
    command,
    "reeve rollback demo",
    "reeve rollback demo 3f2a91c",
    "reeve rollback demo -b feature/new-cart",
  );
}
