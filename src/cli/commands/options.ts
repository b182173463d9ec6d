import { Command } from "commander";
import { UserError } from "../../errors.ts";
import { withExamples } from "../examples.ts";
import { appArgument, jsonFlag } from "../flags.ts";
import { assignmentWords, readAssignments } from "../assignments.ts";
import { askServer } from "../ask.ts";
import { printJson } from "../table.ts";

export function makeCommand(): Command {
  const command = new Command("options")
    .description(
      "Show what reeve does about an app, or change it. Takes effect with the next deploy.",
    )
    .addArgument(appArgument())
    .argument("[action]", "set")
    .argument("[assignments...]", assignmentWords)
    .addOption(jsonFlag())
    .action(
      async (
        app: string,
        action: string | undefined,
        words: string[],
        { json }: { json?: boolean },
      ) => {
        if (action !== undefined) await setOptions(app, action, words);
        const { path, values } = await askServer("options", { app });
        if (json) {
          printJson(values);
          return;
        }
        for (const { name, value, sentence, default: standard } of values) {
          console.log(
            `# ${sentence}\n${name} = ${JSON.stringify(value)}${value === standard ? "" : `  # default: ${JSON.stringify(standard)}`}\n`,
          );
        }
        console.log(`# ${path}`);
        if (action !== undefined)
          console.log(`# In effect with the next deploy: reeve redeploy ${app}`);
      },
    );
  return withExamples(
    command,
    "reeve options demo",
    "reeve options demo set web_processes=4 health_path=/up",
    "reeve options demo set preview_password < FILE",
  );
}

async function setOptions(app: string, action: string, words: string[]): Promise<void> {
  if (action !== "set" || words.length === 0) {
    throw new UserError(
      "OPTION_INVALID",
      `write: reeve options ${app} set NAME=VALUE, or set NAME < FILE`,
    );
  }
  await askServer("setOptions", { app, set: await readAssignments(words, "OPTION_INVALID") });
}
