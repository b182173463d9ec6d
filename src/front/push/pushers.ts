import type { Holder } from "../../names/deploy.ts";
import { expectProcess, isAlive } from "../../system/processes.ts";
import type { Caller } from "../store/store.ts";
import type { BranchPolicy } from "../../protocol/agent-verbs.ts";
import type { RefAction, RefUpdate, Verdict } from "./policy.ts";

export interface Pusher {
  caller: Caller;
  app: string;
  /** Whether it comes from a shallow clone, once its head was read. */
  isShallow?: boolean;
}

/** A push under way. */
export interface Running extends Pusher {
  holder: Holder;
  /** Asked for when the push begins: it is there when the first hook wants it. */
  policy: Promise<BranchPolicy>;
  /** What `update` made of each ref. */
  judged: Map<string, Verdict>;
  /** As what each was judged, until what became of it is written down. */
  actions: Map<string, { action: RefAction; update: RefUpdate }>;
  /** What the push makes of its tags. */
  tags: RefUpdate[];
  /** The branches of which git has asked whether they may move now, and was told that they may. */
  moving: Set<string>;
  /** git has been told to take in what was pushed, and has moved what refs it moves. */
  isTaken?: boolean;
  isDone?: boolean;
  /** Why the traffic did not move: git dies of it, and over HTTP the pusher hears nothing of what its hook said. */
  lastWords?: string[];
}

interface Watching {
  policyOf: (app: string) => Promise<BranchPolicy>;
  onGone: (pusher: Running) => void;
}

/**
 * Which `git receive-pack` carries whose push. A hook says whose child it is (its parent's number), and
 * that is how the front knows on whose behalf git asks.
 */
export class Pushers {
  readonly #running = new Map<number, Running>();
  readonly #watching: Watching;

  constructor(watching: Watching) {
    this.#watching = watching;
  }

  /** To be asked for as early as can be. Whoever wants it asks again where it failed: the agent may be back. */
  policyOf(app: string): Promise<BranchPolicy> {
    const policy = this.#watching.policyOf(app);
    policy.catch(() => undefined);
    return policy;
  }

  started(pid: number, pusher: Pusher, policy = this.policyOf(pusher.app)): void {
    const holder = holderOf(pid);
    this.#running.set(pid, {
      ...{ ...pusher, holder, policy },
      ...{ judged: new Map(), actions: new Map(), moving: new Set(), tags: [] },
    });
  }

  ended(pid: number): Running | undefined {
    const pusher = this.#running.get(pid);
    this.#running.delete(pid);
    if (pusher) this.#watching.onGone(pusher);
    return pusher;
  }

  /** Ends those whose process is gone: over SSH git is not our child, and nobody else says so. */
  async sweep(): Promise<void> {
    for (const [pid, { holder }] of [...this.#running]) {
      if (!(await isAlive(holder)) && this.#running.get(pid)?.holder === holder) this.ended(pid);
    }
  }

  find(pid: number, app: string): Running | undefined {
    const pusher = this.#running.get(pid);
    return pusher?.app === app ? pusher : undefined;
  }
}

/** Read at once, not awaited: git must not run a hook before its push is known. */
export function holderOf(pid: number, turn = 0): Holder {
  return { ...expectProcess(pid), turn };
}
