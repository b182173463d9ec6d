import { Command } from "commander";
import { UserError } from "../../errors.ts";
import { assignmentWords, readAssignments } from "../assignments.ts";
import { withExamples } from "../examples.ts";
import { appArgument, jsonFlag } from "../flags.ts";
import { askServer } from "../ask.ts";
import { printJson } from "../table.ts";

export function makeCommand(): Command {
  const command = new Command("vars")
    .description(
      "Show an app's environment variables, or change them: a change is a deploy of the same commit.",
    )
    .addArgument(appArgument())
    .argument("[action]", "set or unset")
    .argument("[words...]", `to set: ${assignmentWords}; to unset: NAME`)
    .option("--preview", "the set that the app's previews get, in place of its own")
    .addOption(jsonFlag())
    .action(
      async (
        app: string,
        action: string | undefined,
        words: string[],
        { json, preview: ofPreviews = false }: { json?: boolean; preview?: boolean },
      ) => {
        if (action !== undefined) {
          const change = await readChange(app, action, words);
          await askServer("changeVariables", { app, change, ofPreviews });
          return;
        }
        const variables = await askServer("variables", { app, ofPreviews });
        if (json) printJson(variables);
        else for (const [name, value] of Object.entries(variables)) console.log(`${name}=${value}`);
      },
    );
  return withExamples(
    command,
    'reeve vars demo set GREETING="good morning" DEBUG=1',
    "reeve vars demo set API_KEY < FILE",
    "reeve vars demo unset DEBUG",
    "reeve vars demo --preview set DEBUG=1",
  );
}

async function readChange(
  app: string,
  action: string,
  words: string[],
): Promise<{ set: Record<string, string>; unset: string[] }> {
  if (words.length > 0 && action === "set")
    return { set: await readAssignments(words, "VARIABLE_INVALID"), unset: [] };
  if (words.length > 0 && action === "unset") return { set: {}, unset: words };
  throw new UserError(
    "VARIABLE_INVALID",
    `write: reeve vars ${app} set NAME=VALUE, set NAME < FILE, or unset NAME`,
  );
}
