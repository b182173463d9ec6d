import { asUserError, describeError } from "../../errors.ts";
import { deployByCommand } from "../push/deploys.ts";
import type { Commands, CommandWorld } from "./command.ts";

export function reconcileCommands(world: CommandWorld): Commands<"reconcile"> {
  return {
    reconcile: {
      run: async (_, { caller: { account }, exchange }) => {
        const did = await reconcileAll(world, account, exchange.say);
        if (!did) exchange.say("everything is as it should be");
        return did;
      },
      record: (_, did) => did !== false && undefined,
    },
  };
}

/** Has everything put right, and what a branch names and nobody deployed put on the air. Resolves to whether anything was done. */
export async function reconcileAll(
  world: CommandWorld,
  account: string,
  say: (line: string) => void,
): Promise<boolean> {
  const { done, astray } = await world.agent.ask("reconcile", {});
  const swept = await world.repositories.sweep();
  for (const line of [...done, ...swept]) say(line);
  for (const app of astray) {
    // What the branch names may not be fit for the air: the pusher's affair, and said so.
    const target = { app, instance: app, branch: undefined };
    const command = { target, account, reason: "redeploy" as const, judge: () => undefined };
    const deploying = world.apps.during(app, () => deployByCommand(world, command, say));
    await deploying.catch((error: unknown) => {
      const told = asUserError(error);
      if (!told.said) for (const line of describeError(told)) say(line);
    });
  }
  return done.length + swept.length + astray.length > 0;
}
