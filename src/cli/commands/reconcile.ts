import { Command } from "commander";
import { withExamples } from "../examples.ts";
import { askServer } from "../ask.ts";

export function makeCommand(): Command {
  const command = new Command("reconcile")
    .description(
      "Compare what is on record with what is on disk and on the air, and put right what differs. reeve does it by itself at every start.",
    )
    .action(async () => {
      await askServer("reconcile", {});
    });
  return withExamples(command, "reeve reconcile", "reeve reconcile && reeve apps");
}
