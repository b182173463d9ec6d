import type { CommandRequest } from "../../protocol/commands.ts";
import { deployByCommand } from "../push/deploys.ts";
import type { Asked, Commands, CommandWorld } from "./command.ts";

export function variablesCommands(world: CommandWorld): Commands<"changeVariables"> {
  return {
    changeVariables: {
      run: (request, asked) => changeVariables(world, request, asked),
      // Names only: values are secrets.
      record: ({ change }) => [...Object.keys(change.set), ...change.unset].join(", "),
    },
  };
}

/**
 * A change of an app that is on the air is a deploy of the same commit; before the first push it just waits.
 * So does a change of the set for previews, for the next push of each.
 */
async function changeVariables(
  world: CommandWorld,
  request: CommandRequest<"changeVariables">,
  { caller: { account }, exchange: { say }, judge }: Asked,
): Promise<void> {
  const { agent, apps } = world;
  const { app, change, ofPreviews } = request;
  if (ofPreviews) {
    await agent.ask("changeVariables", request);
    say(`${app}: kept; each preview has it with its next push`);
    return;
  }
  const { state } = await agent.ask("show", { app });
  if (state === null) {
    await agent.ask("changeVariables", request);
    say(`${app}: kept for its first deploy`);
    return;
  }
  const target = { app, instance: app, branch: undefined };
  const command = { target, account, reason: "variables" as const, variables: change, judge };
  await apps.during(app, () => deployByCommand(world, command, say));
}
