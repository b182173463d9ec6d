import { createInterface } from "node:readline/promises";
import { Command } from "commander";
import { UserError } from "../../errors.ts";
import { withExamples } from "../examples.ts";
import { appArgument } from "../flags.ts";
import { askServer } from "../ask.ts";

export function makeCommand(): Command {
  const command = new Command("destroy")
    .description(
      "Take an app off the air and remove all of it: code, data, variables, history, repository.",
    )
    .addArgument(appArgument())
    .option("--yes", "do not ask")
    .action(async (app: string, { yes }: { yes?: boolean }) => {
      if (!yes) {
        await askServer("deploys", { app, limit: 1 });
        await expectConfirmation(app);
      }
      await askServer("destroy", { app });
      console.log(`${app} is gone, with its repository, its data and its history.`);
    });
  return withExamples(command, "reeve destroy demo", "reeve destroy demo --yes");
}

async function expectConfirmation(app: string): Promise<void> {
  const terminal = createInterface({ input: process.stdin, output: process.stderr });
  // Nobody is there to answer: that is no yes.
  const silence = new Promise<string>((resolve) => terminal.once("close", () => resolve("")));
  const question = terminal.question(
    `This removes ${app} with its data, variables and history. Type its name to go on: `,
  );
  const answer = await Promise.race([question, silence]);
  terminal.close();
  if (answer.trim() !== app) throw new UserError("CONFIRMATION_NEEDED", `${app} was not removed`);
}
