import type { AgentClient } from "../../protocol/client.ts";
import { absentCommit } from "../../names/names.ts";
import { asUserError, hasCode, UserError } from "../../errors.ts";
import { waitFor } from "../../system/clock.ts";
import { currentCommit, gitCommand, type GitContext } from "../../system/git.ts";
import type { System } from "../../system/system.ts";
import { headline } from "../../names/headline.ts";
import type { AgentRequest } from "../../protocol/agent-verbs.ts";
import type { Holder } from "../../names/deploy.ts";
import { confirm } from "./confirm.ts";
import { readProposal, type Proposal } from "./proposal.ts";
import { holderOf } from "./pushers.ts";
import { noteUnclaimed } from "./readable.ts";
import { CommitTree } from "./tree.ts";

export interface DeployWorld {
  agent: AgentClient;
  system: System;
  gitOf: (app: string) => GitContext;
  /** What is read for a commit's tree, with its submodules in it where they were fetched. */
  treeOf: (
    app: string,
    commit: string,
    quarantine?: string,
  ) => Promise<{ git: GitContext; tree: string }>;
}

/** What the agent is asked to start, and what is asked of it for that afterwards. */
export interface Wanted extends AgentRequest<"start"> {
  /** The folder of the tree that the app runs in. */
  root: string;
  variables?: AgentRequest<"prepare">["variables"];
  /** Tags that come with the same push. */
  tags?: readonly { ref: string; newCommit: string }[];
  /**
   * Judges once more: the right may have been taken back while it waited for its turn, was built, or waited for its ref.
   */
  judge: () => void;
}

type Say = (line: string) => void;

/**
 * Has the agent build the commit and prove it; the ref has not moved yet. What the commit proposes is read
 * here while the agent puts its release on disk: neither needs the other.
 */
export async function prepare(
  world: DeployWorld,
  { variables, root, judge, tags, ...wanted }: Wanted,
  say: Say,
): Promise<void> {
  const voice = new HeldVoice(say);
  let onSent: () => void = () => undefined;
  const sent = new Promise<void>((resolve) => (onSent = resolve));
  const starting = world.agent.ask("start", wanted, { onLine: (line) => voice.say(line), onSent });
  // The start of a process holds this one up: what was just asked of the agent goes on its way first.
  const reading = sent.then(() => readCommit(world, { ...wanted, root }, voice));
  await Promise.allSettled([starting, reading]);
  voice.free();
  const { deploy } = await starting;
  judge();
  const first = await reading;
  // Submodules may have come into it meanwhile, and what is asked for may be in them.
  const { quarantine } = wanted;
  const { tree } = await world.treeOf(wanted.app, wanted.newCommit, quarantine);
  const read = tree === first.tree ? first : await readCommit(world, { ...wanted, root }, voice);
  const { subject, proposal } = read;
  const news = tags?.map(({ ref, newCommit }) => ({ ref, newCommit }));
  const request = { deploy, quarantine, subject, proposal, variables, tags: news };
  await world.agent.ask("prepare", request, { onLine: say });
  await expectStillAllowed(world, { ...wanted, judge }, say);
}

/**
 * Judges what is to happen now by what holds now. At a no the agent takes back what it has built or begun for it, and
 * says what is on the air still.
 */
export async function expectStillAllowed(
  { agent }: Pick<DeployWorld, "agent">,
  { holder, ref, judge }: Pick<Wanted, "holder" | "ref"> & { judge: () => unknown },
  say: Say,
): Promise<void> {
  try {
    await judge();
  } catch (error) {
    const told = asUserError(error);
    const { code, message, hint } = told;
    const request = { holder, ref, problem: { code, message, hint } };
    // Where the agent does not answer, it takes the deploy back when the one who asked for it is gone.
    const refused = await agent.ask("refuse", request, { onLine: say }).catch(() => undefined);
    if (refused?.isSaid) told.said = true;
    throw told;
  }
}

async function readCommit(
  { system, treeOf }: DeployWorld,
  wanted: Omit<Wanted, "variables" | "judge">,
  voice: HeldVoice,
): Promise<{ subject: string; proposal: Proposal; tree: string }> {
  const { app, root, newCommit, quarantine } = wanted;
  const { git, tree } = await treeOf(app, newCommit, quarantine);
  const commit = await CommitTree.open(system, git, newCommit, { root, tree });
  const { subject } = commit;
  voice.free(headline({ ...wanted, subject }));
  return { subject, proposal: await readProposal(commit, { app, root }), tree };
}

/** Keeps what is said until the headline is known, which comes first. */
class HeldVoice {
  readonly #say: Say;
  #held: string[] | undefined = [];

  constructor(say: Say) {
    this.#say = say;
  }

  say(line: string): void {
    if (this.#held) this.#held.push(line);
    else this.#say(line);
  }

  free(...first: string[]): void {
    if (!this.#held) return;
    const lines = [...first, ...this.#held];
    this.#held = undefined;
    for (const line of lines) this.#say(line);
  }
}

let turns = 0;

/** What a command is about: the app itself, or one of its previews. */
export interface Target {
  app: string;
  instance: string;
  /** Of the preview. */
  branch: string | undefined;
}

/** The app; or the preview that somebody named by its branch or its name: `PREVIEW_UNKNOWN`. */
export async function findTarget(
  { agent }: DeployWorld,
  app: string,
  named: string | undefined,
): Promise<Target> {
  if (named === undefined) return { app, instance: app, branch: undefined };
  return { app, ...(await agent.ask("preview", { app, branch: named })) };
}

interface Command {
  target: Target;
  account: string;
  reason: Wanted["reason"];
  /** The commit to put on the air; without one, the commit that the ref has. */
  commit?: string | undefined;
  variables?: AgentRequest<"prepare">["variables"];
  judge: () => void;
}

/**
 * A deploy that no push asked for. git sends nothing when a ref already matches, so a rollback by command
 * and a redeploy go this way: the same steps, with the ref moved here at the moment of the switch.
 */
export async function deployByCommand(
  world: DeployWorld,
  command: Command,
  say: Say,
): Promise<void> {
  const { reason, account, variables, judge } = command;
  const { app, branch: preview } = command.target;
  const git = world.gitOf(app);
  const { productionBranch, root } = await world.agent.ask("policy", { app });
  const ref = `refs/heads/${preview ?? productionBranch}`;
  const oldCommit = await currentCommit(world.system, git, ref);
  if (oldCommit === absentCommit)
    throw new UserError(
      "RELEASE_UNKNOWN",
      `${ref.slice("refs/heads/".length)}, the branch of ${app}, was never pushed`,
      {
        hint: `Push it first: git push deploy HEAD:${ref.slice("refs/heads/".length)}`,
      },
    );
  const newCommit = command.commit ?? oldCommit;
  await holding(world, async (holder) => {
    await prepare(
      world,
      { app, preview, ref, oldCommit, newCommit, account, reason, holder, variables, root, judge },
      say,
    );
    // Nothing is between this and the judging behind the build.
    const request = { app, holder, ref, newCommit, verdict: "deploy" as const };
    const move = (): Promise<unknown> => world.agent.ask("switch", request);
    await expectStillAllowed(world, { holder, ref, judge: move }, say).catch((error: unknown) => {
      throw hasCode(error, "SERVER_DOWN") ? fellAtTheSwitch(app, error) : error;
    });
    if (newCommit !== oldCommit) {
      await noteUnclaimed(git.repository);
      await world.system.run(moveRef(git, { ref, oldCommit, newCommit }));
    }
    await confirm(world.agent, { holder, ref }, { say });
  });
}

/** Does something in the front's own name, each time as another holder, and tells the agent when that has ended. */
export async function holding(
  world: Pick<DeployWorld, "agent">,
  work: (holder: Holder) => Promise<void>,
): Promise<void> {
  const holder = holderOf(process.pid, ++turns);
  try {
    await work(holder);
  } finally {
    await sayFinished(world, holder).catch((error: unknown) => {
      if (!hasCode(error, "SERVER_DOWN")) throw error;
      // The front itself goes on living, so that nobody else would tell the agent: the lock would be held for ever.
      const isTold = (): Promise<boolean> =>
        sayFinished(world, holder).then(
          () => true,
          (again: unknown) => !hasCode(again, "SERVER_DOWN"),
        );
      waitFor(isTold, { within: Infinity, every: 1000 }).catch(() => undefined);
    });
  }
}

function sayFinished({ agent }: Pick<DeployWorld, "agent">, holder: Holder): Promise<unknown> {
  return agent.ask("finished", { holder });
}

/** Where the ref stays where it is, nothing but the agent's own record tells whether the switch has happened. */
function fellAtTheSwitch(app: string, cause: unknown): UserError {
  return new UserError("SERVER_DOWN", "reeve's agent fell at the moment of the switch", {
    hint: `It is started anew and ends or takes back what it had begun. See what is on the air: reeve deploys ${app}`,
    cause,
  });
}

/** The hooks are left out: they are how git asks us, and here it is we who ask git. */
function moveRef(
  git: GitContext,
  { ref, oldCommit, newCommit }: { ref: string; oldCommit: string; newCommit: string },
): ReturnType<typeof gitCommand> {
  return gitCommand(git, [
    "-c",
    "core.hooksPath=/dev/null",
    "update-ref",
    "-m",
    "reeve: rollback",
    ref,
    newCommit,
    oldCommit,
  ]);
}
