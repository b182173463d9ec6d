import { asUserError, describeError } from "../../errors.ts";
import type { HookRequest, HookWorld } from "../push/hook-world.ts";
import { refusalOfPack } from "../push/objects.ts";
import { parseRefUpdates, type RefUpdate } from "../push/policy.ts";
import { sayLive } from "./post-receive.ts";
import { judgePush } from "./pre-receive.ts";
import { recordPush } from "./record.ts";
import { moveTraffic } from "./reference-transaction.ts";
import { deployRefs } from "./update.ts";

type Say = (line: string) => void;

/**
 * Answers one request of git's hooks. Resolves to whether git may go on; what the pusher is to read is
 * said line by line before. An error of any kind is a no.
 */
export async function answerHook(
  world: HookWorld,
  request: HookRequest,
  say: Say,
): Promise<boolean> {
  const said: string[] = [];
  const voice = (line: string): void => {
    said.push(line);
    say(line);
  };
  let updates: RefUpdate[] = [];
  try {
    if (request.hook !== "unpack") updates = parseRefUpdates(request.text);
    await answer(world, request, updates, request.hook === "reference-transaction" ? voice : say);
    return true;
  } catch (error) {
    const told = asUserError(error);
    if (told.code === "INTERNAL" && !told.said)
      world.log.error(
        { err: error, hook: request.hook, app: request.app },
        "a hook's request failed by a mistake of reeve's",
      );
    const pusher = world.pushers.find(request.pid, request.app);
    if (pusher && isJudging(request)) recordPush(world, pusher, updates, told);
    if (!told.said) for (const line of describeError(told)) voice(line);
    if (pusher && request.hook === "reference-transaction") pusher.lastWords = said;
    return false;
  }
}

function isJudging({ hook }: HookRequest): boolean {
  return hook === "pre-receive" || hook === "update";
}

async function answer(
  world: HookWorld,
  request: HookRequest,
  updates: RefUpdate[],
  say: Say,
): Promise<void> {
  switch (request.hook) {
    case "unpack":
      sayOfPack(world, request, say);
      return;
    case "pre-receive":
      return judgePush(world, request, updates, say);
    case "update":
      return deployRefs(world, request, updates, say);
    case "reference-transaction":
      return moveTraffic(world, request, updates, say);
    case "post-receive":
      return sayLive(world, request, updates, say);
    default:
      throw new Error(`there is no hook ${request.hook}`);
  }
}

/** git has not taken the pack: that is said in words that help, where there are any, and in its own where not. */
function sayOfPack(world: HookWorld, request: HookRequest, say: Say): void {
  const pusher = world.pushers.find(request.pid, request.app);
  const refusal = refusalOfPack(request.text, pusher?.isShallow ?? false);
  if (refusal) throw refusal;
  say(request.text.trimEnd());
}
