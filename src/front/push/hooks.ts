import type { Logger } from "pino";
import {
  absentCommit,
  branchOf,
  isBranchRef,
  isTagRef,
  quoted,
  quotedBranch,
} from "../../names/names.ts";
import { asUserError, describeError, UserError } from "../../errors.ts";
import { currentCommit, isChild, withQuarantine, type GitContext } from "../../system/git.ts";
import { printable } from "../../system/lines.ts";
import { findProcess } from "../../system/processes.ts";
import type { BranchPolicy } from "../../protocol/agent-verbs.ts";
import { deployLine, expectCommit, expectName } from "./commits.ts";
import { confirm } from "./confirm.ts";
import { expectStillAllowed, prepare, type DeployWorld } from "./deploys.ts";
import {
  judgeRef,
  parseRefUpdates,
  refAction,
  type RefAction,
  type RefUpdate,
  type Verdict,
} from "./policy.ts";
import { refusalOfPack } from "./objects.ts";
import type { Pusher, Pushers, Running } from "./pushers.ts";
import { expectReadable, noteUnclaimed } from "./readable.ts";

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

type Say = (line: string) => void;

/** Branches that one push may move: each is a deploy. */
const mostBranches = 100;
/** All refs of one push; a tag costs next to nothing. hooks/pre-receive reads no more. */
const mostRefs = 1000;

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

function recordPush(
  world: HookWorld,
  pusher: Running,
  updates: RefUpdate[],
  refusal?: UserError,
): void {
  for (const update of updates) {
    const { action } = pusher.actions.get(update.ref) ?? {};
    pusher.actions.delete(update.ref);
    if (action) world.recordPush(pusher, action, { update, ...(refusal && { refusal }) });
  }
}

/**
 * git has ended and said nothing of some refs: it did not move them, as a branch that it was to delete and that was not
 * there, or was killed before it could say that it did.
 */
export async function recordUntold(
  { system, gitOf, recordPush }: Pick<HookWorld, "system" | "gitOf" | "recordPush">,
  pusher: Running,
): Promise<void> {
  const { app, actions, moving } = pusher;
  for (const { action, update } of actions.values()) {
    const { ref, newCommit } = update;
    // That a ref is not there tells nothing where git has not come to it.
    const mayHaveMoved = newCommit !== absentCommit || moving.has(ref);
    const now = mayHaveMoved && (await currentCommit(system, gitOf(app), ref));
    const refusal = new UserError("REF_MOVED", `git did not move ${ref}`);
    recordPush(pusher, action, { update, ...(now !== newCommit && { refusal }) });
  }
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

/**
 * git has what was pushed aside still, and drops it at a no. So one ref is built and proven here; of several, each is
 * in `update`, where a no to one of them is none to the others.
 */
async function judgePush(
  world: HookWorld,
  request: HookRequest,
  updates: RefUpdate[],
  say: Say,
): Promise<void> {
  expectFewRefs(updates);
  const pusher = expectPusher(world, request);
  const { quarantine } = request;
  await judgeObjects(world, pusher, quarantine, updates);
  pusher.tags = updates.filter(({ ref }) => isTagRef(ref));
  if (updates.length === 1) await deployRefs(world, request, updates, say);
  const git = withQuarantine(world.gitOf(pusher.app), quarantine);
  if (await mayLeave(git, updates)) await noteUnclaimed(git.repository);
  pusher.isTaken = true;
}

async function judgeObjects(
  { system, gitOf, readableTo }: HookWorld,
  pusher: Running,
  quarantine: string | undefined,
  updates: RefUpdate[],
): Promise<void> {
  if (updates.every(({ newCommit }) => newCommit === absentCommit)) return;
  if (quarantine === undefined) throw new Error("git says not where it keeps what was pushed");
  const { app, caller } = pusher;
  const readable = readableTo(pusher);
  const { account } = caller;
  await expectReadable({ system, git: gitOf(app), quarantine, account, readable });
}

/** Whether something may belong to no ref when git is done: what a ref had, or what is still to be refused. */
async function mayLeave(git: GitContext, updates: RefUpdate[]): Promise<boolean> {
  const [only] = updates;
  if (!only || updates.length > 1) return true;
  const { oldCommit, newCommit } = only;
  return oldCommit !== absentCommit && !(await isChild(git, newCommit, oldCommit));
}

/** Cheap, and about the push as a whole. */
export function expectFewRefs(updates: RefUpdate[]): void {
  const branches = updates.filter(({ ref }) => isBranchRef(ref)).length;
  if (branches > mostBranches)
    throw new UserError(
      "REF_REFUSED",
      `this push moves ${branches} branches, and ${mostBranches} are the most`,
      { hint: "Push the branches one after the other." },
    );
  if (updates.length > mostRefs)
    throw new UserError(
      "REF_REFUSED",
      `this push moves ${updates.length} refs, and ${mostRefs} are the most`,
      {
        hint: "A deploy needs no tags: push without --tags, or some of them at a time: git push deploy 'refs/tags/v1.*'",
      },
    );
}

async function deployRefs(
  world: HookWorld,
  request: HookRequest,
  updates: RefUpdate[],
  say: Say,
): Promise<void> {
  const pusher = expectPusher(world, request);
  const { app, caller, holder } = pusher;
  const { quarantine } = request;
  const policy = await policyOf(world, pusher);
  for (const update of updates) {
    const { ref, oldCommit } = update;
    const action = refAction(policy.productionBranch, ref);
    pusher.actions.set(ref, { action, update });
    const judge = (): void => world.judgeRight(pusher, action, update);
    judge();
    const verdict = judgeRef(app, policy, update);
    if (isBranchRef(ref) && update.newCommit !== absentCommit) {
      if (oldCommit === absentCommit) await expectName(world.system, world.gitOf(app), update);
      await expectCommit(world.system, withQuarantine(world.gitOf(app), quarantine), update);
    }
    pusher.judged.set(ref, verdict);
    const { root } = policy;
    const wanted = {
      ...update,
      app,
      account: caller.account,
      holder,
      reason: "push" as const,
      quarantine,
      tags: pusher.tags,
      judge,
    };
    const preview = branchOf(ref) === policy.productionBranch ? undefined : branchOf(ref);
    if (verdict === "deploy") await prepare(world, { ...wanted, preview, root }, say);
    else if (verdict === "remove") {
      const { account } = caller;
      const removal = { app, ref, oldCommit, account, holder };
      await world.agent.ask("prepareRemoval", removal, { onLine: say });
      await expectStillAllowed(world, { holder, ref, judge }, say);
    } else if (isBranchRef(ref)) say(keptLine(app, policy, ref));
  }
}

function keptLine(app: string, { previews }: BranchPolicy, ref: string): string {
  const why =
    previews === "off" ? "has no previews" : `has previews of ${JSON.stringify(previews)} only`;
  return printable(
    `reeve: ${branchOf(ref)} is kept, and not on the air: ${app} ${why} (reeve options ${app} set previews=all)`,
  );
}

/**
 * git holds the branch's lock and is about to move it: so does the traffic. A branch without a proven deploy
 * stays, unless nothing of it is on the air. Of several branches one may have been built long ago: all are judged
 * before the first moves.
 */
async function moveTraffic(
  world: HookWorld,
  request: HookRequest,
  updates: RefUpdate[],
  say: Say,
): Promise<void> {
  const pusher = expectPusher(world, request);
  const { app, holder, judged, actions, moving: moves } = pusher;
  const moving = updates.filter((update) => isMove(update) && isBranchRef(update.ref));
  for (const update of moving) {
    const { ref } = update;
    const { action } = actions.get(ref) ?? {};
    const judge = (): void => action && world.judgeRight(pusher, action, update);
    await expectStillAllowed(world, { holder, ref, judge }, say).catch((error: unknown) => {
      // It is written down with the judgement.
      actions.delete(ref);
      throw error;
    });
  }
  for (const { ref, newCommit } of moving) {
    const verdict = judged.get(ref) ?? "deploy";
    const move = (): Promise<unknown> =>
      world.agent.ask("switch", { app, holder, ref, newCommit, verdict });
    await expectStillAllowed(world, { holder, ref, judge: move }, say);
    moves.add(ref);
  }
}

/** git also asks about refs that are in its packed list only to be left there, from nothing to nothing. */
function isMove({ oldCommit, newCommit }: RefUpdate): boolean {
  return oldCommit !== absentCommit || newCommit !== absentCommit;
}

async function sayLive(
  world: HookWorld,
  request: HookRequest,
  updates: RefUpdate[],
  say: Say,
): Promise<void> {
  // The refs have moved, whatever became of the front meanwhile.
  const pusher = world.pushers.find(request.pid, request.app);
  if (pusher) {
    pusher.isDone = true;
    recordPush(world, pusher, updates);
  }
  const holder = pusher?.holder ?? (await findProcess(request.pid));
  if (!holder) return;
  const branches = updates.filter((update) => isBranchRef(update.ref));
  for (const { ref, newCommit } of branches) {
    const isGone = newCommit === absentCommit;
    await confirm(world.agent, { holder: { turn: 0, ...holder }, ref }, { isGone, say }).catch(
      (error: unknown) => {
        for (const line of describeError(asUserError(error))) say(line);
      },
    );
  }
  if (pusher && updates.length > 0) await sayWhatIsMissing(world, pusher, updates, say);
}

/** Who pushes an app for the first time may not know which branch is the one for it, or that a tag is none. */
async function sayWhatIsMissing(
  world: HookWorld,
  pusher: Running,
  updates: RefUpdate[],
  say: Say,
): Promise<void> {
  const { app, judged } = pusher;
  const { productionBranch } = await policyOf(world, pusher);
  const isAbout = (verdict: Verdict): boolean =>
    updates.some(({ ref }) => judged.get(ref) === verdict);
  if (!isAbout("deploy")) {
    if (!isAbout("remove"))
      await sayNothingDeployed(world, { app, productionBranch }, updates, say);
    return;
  }
  const { ref } = updates.find((update) => judged.get(update.ref) === "deploy") ?? { ref: "" };
  if (updates.some((update) => branchOf(update.ref) === productionBranch)) return;
  const { state } = await world.agent.ask("show", { app });
  if (state !== "never deployed") return;
  say(
    printable(
      `reeve: ${app} itself is not on the air yet: git push deploy ${quotedBranch(branchOf(ref))}:${productionBranch}`,
    ),
  );
}

async function sayNothingDeployed(
  { system, gitOf }: HookWorld,
  { app, productionBranch }: { app: string; productionBranch: string },
  updates: RefUpdate[],
  say: Say,
): Promise<void> {
  const ref = `refs/heads/${productionBranch}`;
  const pushed = updates.filter(({ newCommit }) => newCommit !== absentCommit);
  const [only] = pushed;
  if (!only) return;
  const why = pushed.some((update) => isBranchRef(update.ref)) ? "" : ": tags are only kept";
  const line =
    pushed.length > 1
      ? `git push deploy ${quoted(`HEAD:${ref}`)}`
      : await deployLine(system, gitOf(app), { id: only.newCommit, ref });
  say(
    printable(
      line === undefined
        ? `reeve: nothing was deployed${why}, and ${productionBranch} has this commit already`
        : `reeve: nothing was deployed${why}. To put a commit on the air: ${line}`,
    ),
  );
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
