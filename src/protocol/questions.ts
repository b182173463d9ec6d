import { z } from "zod";
import { appName, commitId, isTagRef, moduleName, rootFolder } from "../app/names.ts";
import { isErrorCode, type ErrorCode } from "../errors.ts";
import { quarantineName } from "../host/git.ts";

/**
 * The fields of everything that the agent can be asked. The front has checked them already; the agent,
 * which has the rights, checks them again with the same grammar.
 */
const line = z.string().max(500);
const holder = z.object({
  pid: z.int().positive(),
  startTime: z.int().nonnegative(),
  turn: z.int().nonnegative(),
});
const ref = z
  .string()
  .max(500)
  .regex(/^refs\/heads\/(?!.*\.\.)[^\p{Cc}\p{Zl}\p{Zp} ~^:?*[\\]+$/u);
/** What the same push makes of its tags. */
const tags = z
  .array(z.object({ ref: z.string().refine(isTagRef), newCommit: commitId }))
  .max(1000)
  .optional();
const branch = z.string().min(1).max(500);
const number = z.int().positive();
const quarantine = z.string().max(100).regex(quarantineName).optional();
const app = z.object({ app: appName });

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

const proposal = z.union([
  z.object({ module: moduleName, root: rootFolder, requirements }),
  z.object({ problem }),
]);

const settingsChange = z.object({
  set: z.record(z.string().max(128), z.string().max(64 * 1024)),
  unset: z.array(z.string().max(128)),
});

export const questions = {
  create: app,
  start: z.object({
    app: appName,
    ref,
    oldCommit: commitId,
    newCommit: commitId,
    account: line,
    reason: z.enum(["push", "rollback", "redeploy", "settings", "rebuild"]),
    holder,
    preview: branch.optional(),
    quarantine,
  }),
  prepare: z.object({
    deploy: number,
    quarantine,
    subject: line,
    proposal,
    settings: settingsChange.optional(),
    tags,
  }),
  prepareRemoval: z.object({ app: appName, ref, oldCommit: commitId, account: line, holder }),
  /** What the front has judged no more to be the account's: it is taken back before the ref moves. */
  refuse: z.object({ holder, ref, problem }),
  /** `verdict`: what the front takes the branch for, and has judged the right to (`push/policy.ts`). */
  switch: z.object({
    ...{ app: appName, holder, ref, newCommit: commitId },
    verdict: z.enum(["deploy", "remove", "store"]),
  }),
  confirm: z.object({ holder, ref }),
  finished: z.object({ holder }),
  confine: z.object({ pid: z.int().positive(), startTime: z.int().nonnegative() }),
  cancel: app.extend({ branch: branch.optional(), account: line }),
  reconcile: z.object({}),
  /** Before the front has git forget what no ref leads to. */
  pinReleases: app,
  apps: z.object({}),
  show: app,
  release: app.extend({ branch: branch.optional(), named: z.string().max(100).optional() }),
  releases: app.extend({
    branch: branch.optional(),
    limit: number.max(100_000).optional(),
    before: number.optional(),
  }),
  deploys: app.extend({ limit: number.max(100_000), before: number.optional() }),
  deployLog: app.extend({ number }),
  logs: app.extend({
    branch: branch.optional(),
    lines: z.int().nonnegative().max(100_000),
    follow: z.boolean(),
  }),
  /** `isPush`: git is about to be started for one. */
  options: app.extend({ isPush: z.boolean().optional() }),
  setOptions: app.extend({ set: z.record(z.string().max(100), z.string().max(2000)) }),
  settings: app.extend({ ofPreviews: z.boolean() }),
  changeSettings: app.extend({ change: settingsChange, ofPreviews: z.boolean() }),
  previews: app,
  preview: app.extend({ branch }),
  pinPreview: app.extend({ branch, pinned: z.boolean() }),
  /** Before what is not to be done in the midst of something else: an app with all of its previews, or one of these. */
  hold: app.extend({ branch: branch.optional(), holder }),
  removePreview: app.extend({ branch, account: line, holder }),
  destroy: app.extend({ holder }),
} satisfies Record<string, z.ZodType>;

export type Questions = typeof questions;
export type QuestionName = keyof Questions;
export type Question<N extends QuestionName> = z.infer<Questions[N]>;
