import { shortCommit } from "../../names/names.ts";
import { UserError } from "../../errors.ts";
import { objectType } from "../../system/git.ts";
import { CommandFailed } from "../../system/system.ts";
import type { CommandRequest } from "../../protocol/commands.ts";
import { deployByCommand, findTarget } from "../push/deploys.ts";
import type { Action } from "../accounts/rights.ts";
import type { Asked, Command, Commands, CommandWorld } from "./command.ts";

type Reason = "rollback" | "redeploy" | "rebuild";
/** Of the app itself, or of the preview that is named. */
type Request = CommandRequest<"rollback">;

export function deployCommands(world: CommandWorld): Commands<Reason | "cancel"> {
  return {
    rollback: deploying(world, "rollback"),
    redeploy: deploying(world, "redeploy"),
    rebuild: deploying(world, "rebuild"),
    cancel: {
      action: ofPreview("cancel"),
      run: async ({ app, branch }, { caller: { account }, exchange: { say } }) => {
        const { number } = await world.agent.ask("cancel", { app, branch, account });
        say(`${app}: deploy ${number} is cancelled`);
      },
      record: ({ branch }) => branch,
    },
  };
}

/** About a preview it is another action, which needs less of a right. */
function ofPreview(action: Reason | "cancel"): (request: Request) => Action {
  return ({ branch }) => (branch === undefined ? action : `${action}Preview`);
}

function deploying(world: CommandWorld, reason: Reason): Command<Request, null> {
  return {
    action: ofPreview(reason),
    run: (request, asked) => deployAgain(world, reason, request, asked),
    record: ({ branch, release }) => [branch, release].filter(Boolean).join(" ") || undefined,
  };
}

async function deployAgain(
  world: CommandWorld,
  reason: Reason,
  request: Request,
  { caller: { account }, exchange: { say }, judge }: Asked,
): Promise<void> {
  const target = await findTarget(world, request.app, request.branch);
  const commit = reason === "rollback" ? await findRelease(world, request) : undefined;
  await world.apps.during(request.app, () =>
    deployByCommand(world, { target, account, reason, commit, judge }, say),
  );
}

async function findRelease(
  { agent, system, gitOf }: CommandWorld,
  { app, branch, release: named }: Request,
): Promise<string> {
  const { commit } = await agent.ask("release", { app, branch, named });
  try {
    await objectType(system, gitOf(app), commit);
    return commit;
  } catch (error) {
    if (!(error instanceof CommandFailed)) throw error;
    throw new UserError(
      "RELEASE_UNKNOWN",
      `${shortCommit(commit)} is in the repository of ${app} no more: no ref leads to it, and its release is not kept`,
      { hint: "Push it, from a clone that has it." },
    );
  }
}
