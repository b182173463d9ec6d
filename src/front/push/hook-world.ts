import type { Logger } from "pino";
import { UserError } from "../../errors.ts";
import type { BranchPolicy } from "../../protocol/agent-verbs.ts";
import type { DeployWorld } from "./deploys.ts";
import type { RefAction, RefUpdate } from "./policy.ts";
import type { Pusher, Pushers, Running } from "./pushers.ts";

export interface HookRequest {
  hook: string;
  app: string;
  /** git's process, the hook's parent. */
  pid: number;
  text: string;
  /** Where git keeps what the push brought, until `pre-receive` has said yes. */
  quarantine?: string | undefined;
}

export interface HookWorld extends DeployWorld {
  pushers: Pushers;
  /** Refuses what the pusher has no right to, and keeps a record of that. */
  judgeRight: (pusher: Pusher, action: RefAction, update: RefUpdate) => void;
  /** The same without a record, for who only looks. */
  hasRight: (pusher: Pusher, action: RefAction) => boolean;
  /** What of the app's repository the pusher may read, in git's words for a list of commits (git-rev-list(1)). */
  readableTo: (pusher: Pusher) => string[];
  /** Writes down what became of a ref: it has moved, or was refused. */
  recordPush: (
    pusher: Pusher,
    action: RefAction,
    outcome: { update: RefUpdate; refusal?: UserError },
  ) => void;
  log: Logger;
}

/** As it was when the push began; what the agent does goes by the options as they are then. */
export function policyOf(
  { agent }: HookWorld,
  { policy, app }: Pick<Running, "policy" | "app">,
): Promise<BranchPolicy> {
  return policy.catch(() => agent.ask("policy", { app }));
}

export function expectPusher(world: HookWorld, request: Pick<HookRequest, "pid" | "app">): Running {
  const pusher = world.pushers.find(request.pid, request.app);
  if (pusher) return pusher;
  throw new UserError(
    "REF_MOVED",
    "nobody is known to push here: reeve was started anew during this push, or a ref was moved past it",
    {
      hint: "Push again.",
    },
  );
}
