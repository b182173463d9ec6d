import type { Commands, CommandWorld } from "./command.ts";
import { inTurn } from "./turn.ts";

export function previewCommands(world: CommandWorld): Commands<"pinPreview" | "removePreview"> {
  const { agent } = world;
  return {
    pinPreview: {
      run: (request, { exchange }) => agent.ask("pinPreview", request, { onLine: exchange.say }),
      record: ({ branch, pinned }) => `${branch} ${pinned ? "pinned" : "not pinned"}`,
    },
    removePreview: {
      run: (request, asked) =>
        inTurn(world, request, asked, (holder) => {
          const { account } = asked.caller;
          const { say } = asked.exchange;
          return agent.ask("removePreview", { ...request, account, holder }, { onLine: say });
        }),
      record: ({ branch }) => branch,
    },
  };
}
