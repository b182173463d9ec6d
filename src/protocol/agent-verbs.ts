import { z } from "zod";
import { appName, commitId, isTagRef, rootFolder } from "../names/names.ts";
import { declaredProcesses } from "../names/process.ts";
import { isErrorCode, type ErrorCode } from "../errors.ts";
import { quarantineName } from "../system/git.ts";
import { app, branch, instance, number, preview, release, variablesChange } from "./fields.ts";
import { readings, type AppSummary } from "./readings.ts";
import { asks, type ResponseOf, type RequestOf } from "./verb.ts";

const line = z.string().max(500);
const account = line;
const process = z.object({ pid: z.int().positive(), startTime: z.int().nonnegative() });
const holder = process.extend({ turn: z.int().nonnegative() });
const ref = z
  .string()
  .max(500)
  .regex(/^refs\/heads\/(?!.*\.\.)[^\p{Cc}\p{Zl}\p{Zp} ~^:?*[\\]+$/u);
/** What the same push makes of its tags. */
const tags = z
  .array(z.object({ ref: z.string().refine(isTagRef), newCommit: commitId }))
  .max(1000)
  .optional();
/** Where the commit's objects are, while git has not taken them in. */
const quarantine = z.string().max(100).regex(quarantineName).optional();

const requirements = z
  .array(
    z.object({
      path: z
        .string()
        .max(1000)
        .regex(/^(?!\/)(?!.*(^|\/)\.\.(\/|$))[^\0\n]+$/),
      text: z.string().max(1024 * 1024),
    }),
  )
  .max(50);

const problem = z.object({
  code: z.custom<ErrorCode>((code) => typeof code === "string" && isErrorCode(code)),
  message: z.string().max(10_000),
  hint: z.string().max(2000),
});

/** What the repository asks for, as the front read it; or why it could not be read. */
const proposal = z.union([
  z.object({ processes: declaredProcesses, root: rootFolder, requirements }),
  z.object({ problem }),
]);

/** What an app's options say of its branches, and of what stands in their trees. */
export interface BranchPolicy {
  productionBranch: string;
  /** all, off, or patterns. */
  previews: string;
  /** The folder that the app runs in; empty: the whole tree. */
  root: string;
}

export interface Reconciled {
  /** What was put right, a line each; nothing when all was right. */
  done: string[];
  /**
   * Apps that need a deploy of what their branch names, which the front can begin: another commit is on the air, or
   * the vassal does not run as its deploy wants it.
   */
  astray: string[];
  /** Something takes too long for a start: do it again when the agent listens. */
  postponed: boolean;
}

/**
 * Everything that the agent can be asked, with its fields. The front has checked them already; the agent, which has
 * the rights, checks them again with the same grammar.
 */
export const agentVerbs = {
  ...readings,
  apps: asks(z.object({})).answers<AppSummary[]>(),
  logs: asks(
    instance.extend({
      lines: z.int().nonnegative().max(100_000),
      since: z.iso.datetime().optional(),
      /** Those of the access log, in place of what the app printed. */
      requests: z.boolean().optional(),
      follow: z.boolean(),
    }),
  ).answers<null>(),
  release: asks(instance.extend({ named: release })).answers<{ commit: string }>(),
  preview: asks(preview).answers<{ instance: string; branch: string }>(),

  create: asks(app).answers<null>(),
  setOptions: asks(
    app.extend({ set: z.record(z.string().max(100), z.string().max(2000)) }),
  ).answers<null>(),
  changeVariables: asks(
    app.extend({ change: variablesChange, ofPreviews: z.boolean() }),
  ).answers<null>(),
  pinPreview: asks(preview.extend({ pinned: z.boolean() })).answers<null>(),
  /** Before what is not to be done in the midst of something else: an app with all of its previews, or one of these. */
  hold: asks(instance.extend({ holder })).answers<null>(),
  removePreview: asks(preview.extend({ account, holder })).answers<null>(),
  destroy: asks(app.extend({ holder })).answers<null>(),

  /** As soon as git is about to be started for a push. */
  policy: asks(app).answers<BranchPolicy>(),
  confine: asks(process).answers<null>(),
  start: asks(
    z.object({
      app: appName,
      ref,
      oldCommit: commitId,
      newCommit: commitId,
      account,
      reason: z.enum(["push", "rollback", "redeploy", "variables", "rebuild"]),
      holder,
      /** The branch, where whoever asks takes it for a preview: for this its right was judged. */
      preview: branch.optional(),
      quarantine,
    }),
  ).answers<{ deploy: number }>(),
  prepare: asks(
    z.object({
      deploy: number,
      quarantine,
      subject: line,
      proposal,
      variables: variablesChange.optional(),
      tags,
    }),
  ).answers<null>(),
  prepareRemoval: asks(
    z.object({ app: appName, ref, oldCommit: commitId, account, holder }),
  ).answers<{ deploy: number | null }>(),
  /**
   * What the front has judged no more to be the account's: it is taken back before the ref moves. Answers whether
   * there was a deploy, and its end was said.
   */
  refuse: asks(z.object({ holder, ref, problem })).answers<{ isSaid: boolean }>(),
  /** `verdict`: what the front takes the branch for, and has judged the right to (`push/policy.ts`). */
  switch: asks(
    z.object({
      ...{ app: appName, holder, ref, newCommit: commitId },
      verdict: z.enum(["deploy", "remove", "store"]),
    }),
  ).answers<null>(),
  confirm: asks(z.object({ holder, ref })).answers<null>(),
  finished: asks(z.object({ holder })).answers<null>(),
  cancel: asks(instance.extend({ account })).answers<{ number: number }>(),
  reconcile: asks(z.object({})).answers<Reconciled>(),
  /** Before the front has git forget what no ref leads to. */
  pinReleases: asks(app).answers<null>(),
};

export type AgentVerb = keyof typeof agentVerbs;
export type AgentRequest<N extends AgentVerb> = RequestOf<(typeof agentVerbs)[N]>;
export type AgentResponse<N extends AgentVerb> = ResponseOf<(typeof agentVerbs)[N]>;
