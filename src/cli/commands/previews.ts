import { Argument, Command } from "commander";
import { shortCommit } from "../../names/names.ts";
import type { PreviewSummary } from "../../protocol/readings.ts";
import { withExamples } from "../examples.ts";
import { appArgument, jsonFlag } from "../flags.ts";
import { askServer } from "../ask.ts";
import { printList, shortTime, type Columns } from "../table.ts";

const actions = ["pin", "unpin", "remove"] as const;
type Action = (typeof actions)[number];

export function makeCommand(): Command {
  const command = new Command("previews")
    .description(
      "List an app's previews: where each answers, and until when it is kept; keep one whatever its age, or remove it with its branch on the server.",
    )
    .addArgument(appArgument())
    .addArgument(new Argument("[action]", "what to do with one").choices(actions))
    .argument("[branch]", "of which")
    .addOption(jsonFlag())
    .action(
      async (
        app: string,
        action: Action | undefined,
        branch: string | undefined,
        { json }: { json?: boolean },
      ) => {
        if (action !== undefined) {
          if (branch === undefined)
            return command.error("error: missing required argument 'branch'");
          await act(action, { app, branch });
          return;
        }
        const none = `${app} has no previews. Push a branch: git push deploy BRANCH`;
        printList(await askServer("previews", { app }), columns, { json, none });
      },
    );
  return withExamples(
    command,
    "reeve previews demo",
    "reeve previews demo pin feature/new-cart",
    "reeve previews demo remove feature/new-cart",
  );
}

async function act(action: Action, preview: { app: string; branch: string }): Promise<void> {
  if (action === "remove") await askServer("removePreview", preview);
  else await askServer("pinPreview", { ...preview, pinned: action === "pin" });
}

const columns: Columns<PreviewSummary> = {
  BRANCH: ({ branch }) => branch,
  STATE: ({ state }) => state,
  COMMIT: ({ commit }) => commit && shortCommit(commit),
  USED: ({ usedAt }) => shortTime(usedAt),
  "KEPT UNTIL": ({ pinned, goesAt }) => (pinned ? "pinned" : shortTime(goesAt)),
  URL: ({ url }) => url,
};
