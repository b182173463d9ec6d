import type { Commands, CommandWorld } from "./command.ts";
import { inTurn } from "./turn.ts";

export function previewCommands(world: CommandWorld): Commands<"pinPreview" | "removePreview"> {
  const { agent } = world;
  return {
    pinPreview: {
      run: (question, { exchange }) => agent.ask("pinPreview", question, { onLine: exchange.say }),
      record: ({ branch, pinned }) => `${branch} ${pinned ? "pinned" : "not pinned"}`,
    },
    removePreview: {
      run: (question, asked) =>
        inTurn(world, question, asked, (holder) => {
          const { account } = asked.caller;
          const { say } = asked.exchange;
          return agent.ask("removePreview", { ...question, account, holder }, { onLine: say });
        }),
      record: ({ branch }) => branch,
    },
  };
}
