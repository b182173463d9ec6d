import { Argument, Command } from "commander";
import { expectAppName } from "../../names/names.ts";
import { withExamples } from "../examples.ts";
import { askServer } from "../ask.ts";

type Action = "pin" | "unpin" | "remove";

export function makeCommand(): Command {
  const command = new Command("preview")
    .description("Keep a preview whatever its age, or remove it with its branch on the server.")
    .addArgument(new Argument("<action>", "what to do").choices(["pin", "unpin", "remove"]))
    .argument("<app>", "the app's name", expectAppName)
    .argument("<branch>", "the branch")
    .action(async (action: Action, app: string, branch: string) => {
      if (action === "remove") await askServer("removePreview", { app, branch });
      else await askServer("pinPreview", { app, branch, pinned: action === "pin" });
    });
  return withExamples(
    command,
    "reeve preview pin demo feature/new-cart",
    "reeve preview remove demo feature/new-cart",
  );
}
