import type { IncomingMessage, RequestListener, ServerResponse } from "node:http";
import { z } from "zod";
import {
  accountQuestions,
  accountVerbs,
  type AccountAnswers,
  type AccountVerb,
} from "./account-verbs.ts";
import { appName, shortCommit } from "../app/names.ts";
import type { Question } from "../protocol/questions.ts";
import { appOptions } from "../config/app-options.ts";
import type { OptionTable } from "../config/option-table.ts";
import { objectType, quarantineName } from "../host/git.ts";
import { CommandFailed } from "../host/host.ts";
import {
  answerVerbs,
  readQuestion,
  type Exchange,
  type Verb,
  type Verbs,
} from "../host/channel.ts";
import { withoutCredentials } from "../host/credentials.ts";
import { asUserError, describeError, hasCode, UserError } from "../errors.ts";
import { deployByCommand, findTarget, holding } from "../push/deploys.ts";
import { firstLook, readHead } from "../push/first-look.ts";
import { answerHook, expectPusher, type HookWorld } from "../push/hooks.ts";
import { holderOf } from "../push/pushers.ts";
import type { Holder } from "../app/deploy.ts";
import type { AuditEntry } from "../store/front/audit.ts";
import type { Caller } from "../store/front/store.ts";
import type { AuthorizedKeys } from "./authorized-keys.ts";
import { localAdministrator, type Action } from "./rights.ts";
import { answerSsh, type SshWorld } from "./ssh.ts";
import type { Tidying } from "./tidying.ts";

/** Bytes of what git tells its hooks, or a client asks for over SSH. */
const longestText = 1024 * 1024;

export interface Control extends HookWorld, Omit<SshWorld, "log"> {
  tidying: Tidying;
  authorizedKeys: AuthorizedKeys;
}

/**
 * The socket that only the front's own user and root can open: git's hooks, sshd's forced command, and the
 * commands, which are the administrator's unless they come on behalf of a key.
 */
export function controlListener(control: Control): RequestListener {
  const commands = answerVerbs(controlVerbs(control), (error) =>
    control.log.error({ err: error }, "a command failed by a mistake of reeve's"),
  );
  return (question, answer) => {
    const address = `http://reeve${question.url ?? "/"}`;
    if (!URL.canParse(address)) {
      answer.writeHead(404).end();
      return;
    }
    const url = new URL(address);
    const answering = url.pathname.startsWith("/hooks/")
      ? answerHookRequest
      : plainAnswers[url.pathname];
    // Without a verdict the answer is no: whoever broke off in the middle of a question ends nothing but that.
    if (answering) answering(control, url, question, answer).catch(() => answer.destroy());
    else commands(question, answer);
  };
}

/** Lines with `|` before them are for the pusher; the last one is the verdict, which nothing an app prints can forge. */
async function answerHookRequest(
  control: Control,
  url: URL,
  question: IncomingMessage,
  answer: ServerResponse,
): Promise<void> {
  const fields = hookFields.safeParse({
    hook: url.pathname.slice("/hooks/".length),
    app: url.searchParams.get("app"),
    pid: url.searchParams.get("pid"),
    quarantine: url.searchParams.get("quarantine") || undefined,
  });
  if (!fields.success) {
    answer.writeHead(404).end();
    return;
  }
  const say = (line: string): void => {
    for (const piece of line.split("\n")) answer.write(`|${piece}\n`);
  };
  answer.writeHead(200, { "content-type": "text/plain; charset=utf-8" });
  const granted = await answerHook(
    control,
    { ...fields.data, text: await readQuestion(question, longestText) },
    say,
  );
  answer.end(granted ? "=yes\n" : "=no\n");
}

const pid = z.coerce.number().int().positive();
const hookFields = z.object({
  ...{ hook: z.string(), app: appName, pid },
  quarantine: z.string().regex(quarantineName).optional(),
});

/** Who is there, and what takes the place of hooks/ssh. */
async function answerSshRequest(
  control: Control,
  url: URL,
  question: IncomingMessage,
  answer: ServerResponse,
): Promise<void> {
  const fields = z
    .object({ key: z.string(), pid })
    // A blank is what a `+` in a query is read as; no fingerprint has one.
    .safeParse({
      key: url.searchParams.get("key")?.replaceAll(" ", "+"),
      pid: url.searchParams.get("pid"),
    });
  if (!fields.success) {
    answer.writeHead(404).end();
    return;
  }
  answer.writeHead(200, { "content-type": "text/plain; charset=utf-8" });
  const lines = await answerSsh(control, {
    ...fields.data,
    command: await readQuestion(question, longestText),
  });
  answer.end(lines.map((line) => `${line}\n`).join(""));
}

/** hooks/receive has read what a push over SSH begins with: `=no`, and what is to be said in git's place. */
async function answerFirstLook(
  control: Control,
  url: URL,
  question: IncomingMessage,
  answer: ServerResponse,
): Promise<void> {
  const fields = z
    .object({ app: appName, pid })
    .safeParse({ app: url.searchParams.get("app"), pid: url.searchParams.get("pid") });
  if (!fields.success) {
    answer.writeHead(404).end();
    return;
  }
  const head = await readHead(question);
  const refusal = await firstLook(control, expectPusher(control, fields.data), head);
  answer.writeHead(200, { "content-type": "application/octet-stream" });
  answer.end(refusal ? Buffer.concat([Buffer.from("=no\n"), refusal]) : "=yes\n");
}

const plainAnswers: Record<string, typeof answerSshRequest> = {
  "/ssh": answerSshRequest,
  "/first-look": answerFirstLook,
};

interface Asked {
  caller: Caller;
  exchange: Exchange;
  /** The same right once more, for who had to wait. */
  judge: () => void;
}

interface Judged<Input> {
  input: z.ZodType<Input>;
  run: (input: Input, asked: Asked) => unknown;
  /** Changes something, and what of it stands in the audit log: false where nothing has changed. */
  record?: (input: Input, answer?: unknown) => string | undefined | false;
}

/** Whoever asks is found out and judged; only then the verb runs, and what came of it is written down. */
function judged<Input extends object>(
  control: Control,
  action: Action,
  { input, run, record }: Judged<Input>,
): Verb<Input> {
  return {
    input,
    run: async (question, exchange) => {
      const caller = callerOf(control, exchange);
      const app = "app" in question ? String(question.app) : undefined;
      const judge = (): void => control.rights.expect(caller, action, app);
      judge();
      const { account, via } = caller;
      const write = (outcome: AuditEntry["outcome"], detail: string | undefined): void =>
        control.store.audit.write({
          ...{ account, via, action, app, outcome },
          // Whatever was typed where an address can be may hold a password.
          detail: detail && withoutCredentials(detail),
        });
      const work = async (): Promise<unknown> => await run(question, { caller, exchange, judge });
      const answer = await work().catch((error: unknown) => {
        const told = asUserError(error);
        if (record && !control.rights.hasWritten(told))
          write("refused", `${record(question) || action}: ${told.code}`);
        throw error;
      });
      // It is done, also where that cannot be written down.
      const detail = record?.(question, answer);
      if (record && detail !== false) write("done", detail);
      return answer;
    },
  };
}

function callerOf({ credentials }: Control, { key }: Exchange): Caller {
  if (key === undefined) return localAdministrator;
  const caller = credentials.byKey(key);
  if (!caller) throw new UserError("NOT_ALLOWED", "this key was taken back");
  return caller;
}

const app = z.object({ app: appName });
const settingsChange = z.object({
  set: z.record(z.string(), z.string()),
  unset: z.array(z.string()),
});

let turns = 0;

/** The front itself, for what it does without a push: each time as another holder. */
export function commandHolder(): Holder {
  return holderOf(process.pid, 1_000_000 + ++turns);
}

/** What the command line asks. Most of it is the agent's to answer and is handed on. */
function controlVerbs(control: Control): Verbs {
  return {
    ...readingVerbs(control),
    ...appVerbs(control),
    ...deployVerbs(control),
    ...previewVerbs(control),
    ...judgedAccountVerbs(control),
  };
}

const named = app.extend({ branch: z.string() });
const release = z.string().max(100).optional();

interface CommandQuestion {
  app: string;
  /** The preview that is meant; without one, the app itself. */
  branch?: string;
  release?: string | undefined;
}

/** Each is asked about the app itself, and as another verb, which needs less of a right, about a preview. */
function deployVerbs(control: Control): Verbs {
  const deploying = (reason: "rollback" | "redeploy" | "rebuild") => ({
    run: (question: CommandQuestion, asked: Asked) => deployAgain(control, reason, question, asked),
    record: (question: CommandQuestion) =>
      [question.branch, question.release].filter(Boolean).join(" ") || undefined,
  });
  const cancelling = {
    run: (question: CommandQuestion, asked: Asked) => cancel(control, question, asked),
    record: ({ branch }: CommandQuestion) => branch,
  };
  return {
    rollback: judged(control, "rollback", {
      input: app.extend({ release }),
      ...deploying("rollback"),
    }),
    rollbackPreview: judged(control, "rollbackPreview", {
      input: named.extend({ release }),
      ...deploying("rollback"),
    }),
    redeploy: judged(control, "redeploy", { input: app, ...deploying("redeploy") }),
    redeployPreview: judged(control, "redeployPreview", {
      input: named,
      ...deploying("redeploy"),
    }),
    rebuild: judged(control, "rebuild", { input: app, ...deploying("rebuild") }),
    rebuildPreview: judged(control, "rebuildPreview", { input: named, ...deploying("rebuild") }),
    cancel: judged(control, "cancel", { input: app, ...cancelling }),
    cancelPreview: judged(control, "cancelPreview", { input: named, ...cancelling }),
    reconcile: judged(control, "reconcile", {
      input: z.object({}),
      run: async (_, { caller: { account }, exchange }) => {
        const did = await reconcileAll(control, account, exchange.say);
        if (!did) exchange.say("everything is as it should be");
        return did;
      },
      record: (_, did) => did !== false && undefined,
    }),
    changeSettings: judged(control, "changeSettings", {
      input: app.extend({ change: settingsChange, ofPreviews: z.boolean() }),
      run: (question, asked) => changeSettings(control, question, asked),
      // Names only: values are secrets.
      record: ({ change }) => [...Object.keys(change.set), ...change.unset].join(", "),
    }),
  };
}

async function deployAgain(
  control: Control,
  reason: "rollback" | "redeploy" | "rebuild",
  question: CommandQuestion,
  { caller: { account }, exchange: { say }, judge }: Asked,
): Promise<void> {
  const target = await findTarget(control, question.app, question.branch);
  const commit = reason === "rollback" ? await findRelease(control, question) : undefined;
  await control.apps.during(question.app, () =>
    deployByCommand(control, { target, account, reason, commit, judge }, say),
  );
}

async function findRelease(
  { agent, host, gitOf }: Control,
  { app: name, branch, release: named }: CommandQuestion,
): Promise<string> {
  const { commit } = await agent.ask("release", { app: name, branch, named });
  try {
    await objectType(host, gitOf(name), commit);
    return commit;
  } catch (error) {
    if (!(error instanceof CommandFailed)) throw error;
    throw new UserError(
      "RELEASE_UNKNOWN",
      `${shortCommit(commit)} is in the repository of ${name} no more: no ref leads to it, and its release is not kept`,
      { hint: "Push it, from a clone that has it." },
    );
  }
}

async function cancel(
  { agent }: Control,
  { app: name, branch }: CommandQuestion,
  { caller: { account }, exchange: { say } }: Asked,
): Promise<void> {
  const { number } = await agent.ask("cancel", { app: name, branch, account });
  say(`${name}: deploy ${number} is cancelled`);
}

function previewVerbs(control: Control): Verbs {
  const { agent } = control;
  return {
    pinPreview: judged(control, "pinPreview", {
      input: named.extend({ pinned: z.boolean() }),
      run: (question, { exchange }) => agent.ask("pinPreview", question, { onLine: exchange.say }),
      record: ({ branch, pinned }) => `${branch} ${pinned ? "pinned" : "not pinned"}`,
    }),
    removePreview: judged(control, "removePreview", {
      input: named,
      run: (question, asked) =>
        inTurn(control, question, asked, async (holder) => {
          const { account } = asked.caller;
          const { say } = asked.exchange;
          await agent.ask("removePreview", { ...question, account, holder }, { onLine: say });
        }),
      record: ({ branch }) => branch,
    }),
  };
}

function appVerbs(control: Control): Verbs {
  const { agent } = control;
  return {
    create: judged(control, "create", {
      input: app,
      run: ({ app: name }, { caller }) => control.apps.make(name, caller),
    }),
    setOptions: judged(control, "setOptions", {
      input: app.extend({ set: z.record(z.string(), z.string()) }),
      run: async (question, { caller }) => {
        control.rights.expectOptions(caller, question.app, Object.keys(question.set));
        await agent.ask("setOptions", question);
      },
      record: ({ set }) => Object.entries(set).map(recordOption).join(" "),
    }),
    destroy: judged(control, "destroy", {
      input: app,
      run: ({ app: name }, asked) => control.apps.during(name, () => destroy(control, name, asked)),
      record: () => undefined,
    }),
  };
}

async function destroy(control: Control, app: string, asked: Asked): Promise<void> {
  const { agent, repositories, store } = control;
  const removing = inTurn(control, { app }, asked, async (holder) => {
    await agent.ask("destroy", { app, holder });
  });
  await removing.catch(async (error: unknown) => {
    // One that was cut off after the agent's part left the repository alone.
    const isGone = hasCode(error, "APP_UNKNOWN");
    if (!isGone || !(await repositories.has(app))) throw error;
  });
  await repositories.remove(app);
  store.forgetApp(app);
}

/** Waits for what is under way; the right is judged as it is when the turn has come. */
function inTurn(
  control: Control,
  { app: name, branch }: Pick<CommandQuestion, "app" | "branch">,
  { exchange: { say }, judge }: Asked,
  work: (holder: Holder) => Promise<void>,
): Promise<void> {
  return holding(control, async (holder) => {
    await control.agent.ask("hold", { app: name, branch, holder }, { onLine: say });
    judge();
    await work(holder);
  });
}

/** Of a secret the name only. */
function recordOption([name, value]: [string, string]): string {
  const options: OptionTable = appOptions;
  // What is no option may be a secret whose name was misspelt.
  const option = Object.hasOwn(options, name) ? options[name] : undefined;
  return !option || option.secret ? name : `${name}=${value}`;
}

/** Has everything put right, and what a branch names and nobody deployed put on the air. Resolves to whether anything was done. */
export async function reconcileAll(
  control: Control,
  account: string,
  say: (line: string) => void,
): Promise<boolean> {
  const { done, astray } = await control.agent.ask("reconcile", {});
  const swept = await control.repositories.sweep();
  for (const line of [...done, ...swept]) say(line);
  for (const name of astray) {
    // What the branch names may not be fit for the air: the pusher's affair, and said so.
    const target = { app: name, instance: name, branch: undefined };
    const command = { target, account, reason: "redeploy" as const, judge: () => undefined };
    const deploying = control.apps.during(name, () => deployByCommand(control, command, say));
    await deploying.catch((error: unknown) => {
      const told = asUserError(error);
      if (!told.said) for (const line of describeError(told)) say(line);
    });
  }
  return done.length + swept.length + astray.length > 0;
}

/**
 * A change of an app that is on the air is a deploy of the same commit; before the first push it just waits.
 * So does a change of the set for previews, for the next push of each.
 */
async function changeSettings(
  control: Control,
  question: Question<"changeSettings">,
  { caller: { account }, exchange: { say }, judge }: Asked,
): Promise<void> {
  const { app: name, change, ofPreviews } = question;
  if (ofPreviews) {
    await control.agent.ask("changeSettings", question);
    say(`${name}: kept; each preview has it with its next push`);
    return;
  }
  const { state } = await control.agent.ask("show", { app: name });
  if (state === "never deployed") {
    await control.agent.ask("changeSettings", question);
    say(`${name}: kept for its first deploy`);
    return;
  }
  const target = { app: name, instance: name, branch: undefined };
  const command = { target, account, reason: "settings" as const, settings: change, judge };
  await control.apps.during(name, () => deployByCommand(control, command, say));
}

const readingNames = [
  "show",
  "releases",
  "deploys",
  "deployLog",
  "options",
  "settings",
  "previews",
] as const;

function readingVerbs(control: Control): Verbs {
  const { agent, rights } = control;
  const handedOn = readingNames.map((name) => [
    name,
    // The agent checks the other fields; here they are only passed through.
    judged(control, name, {
      input: z.looseObject({ app: appName }),
      run: (question) => agent.ask(name, question as unknown as Question<typeof name>),
    }),
  ]);
  return {
    ...(Object.fromEntries(handedOn) as Verbs),
    apps: judged(control, "apps", {
      input: z.object({}),
      run: async (_, { caller }) =>
        (await agent.ask("apps", {})).filter(({ app: name }) => rights.may(caller, "show", name)),
    }),
    logs: judged(control, "logs", {
      input: z.looseObject({ app: appName }),
      run: (question, asked) => streamLogs(control, question as Question<"logs">, asked),
    }),
  };
}

const rejudgeEvery = 1000;

/** A log may be followed for days: the right to it is judged again and again. */
async function streamLogs(
  { agent, rights }: Control,
  question: Question<"logs">,
  { caller, exchange: { say, gone } }: Asked,
): Promise<void> {
  const over = new AbortController();
  const watch = setInterval(() => {
    if (!mayStill(rights, caller, question.app)) over.abort();
  }, rejudgeEvery);
  const signal = AbortSignal.any([gone, over.signal]);
  try {
    await agent.ask("logs", question, { onLine: say, signal });
  } catch (error) {
    if (over.signal.aborted) rights.expect(caller, "logs", question.app);
    throw error;
  } finally {
    clearInterval(watch);
  }
}

/** Thrown in a timer, what keeps it from being judged would end us: it is thrown where this log ends. */
function mayStill(rights: Control["rights"], caller: Caller, app: string): boolean {
  try {
    return rights.may(caller, "logs", app);
  } catch {
    return false;
  }
}

/** What of a question about accounts stands in the audit log; a question that only looks has no line here. */
const records: Partial<
  Record<AccountVerb, NonNullable<Judged<Record<string, unknown>>["record"]>>
> = {
  addAccount: ({ account, mayCreate }) =>
    `${String(account)}${mayCreate ? ", may create apps" : ""}`,
  changeAccount: ({ account, mayCreate }) =>
    `${String(account)} ${mayCreate ? "may" : "may not"} create apps`,
  removeAccount: ({ account }) => String(account),
  createToken: ({ account }) => String(account),
  revokeToken: ({ id }) => String(id),
  addKey: ({ account }) => String(account),
  removeKey: ({ fingerprint }) => String(fingerprint),
  grant: ({ account, right }, answer) =>
    hasChanged(answer) && `${String(account)} ${String(right)}`,
  revoke: ({ account, right }, answer) =>
    hasChanged(answer) && `${String(account)} ${typeof right === "string" ? right : "everything"}`,
};

/** Nobody knows yet where there is no answer. */
function hasChanged(answer: unknown): boolean {
  const { before, left } = (answer ?? {}) as Partial<AccountAnswers["revoke"]>;
  return answer === undefined || before !== left;
}

function judgedAccountVerbs(control: Control): Verbs {
  const verbs = Object.entries(accountVerbs(control)).map(([name, run]) => {
    const action = name as AccountVerb;
    const record = records[action];
    return [
      name,
      judged(control, action, {
        input: accountQuestions[action] as z.ZodType<Record<string, unknown>>,
        run: run as (question: object) => unknown,
        ...(record ? { record } : {}),
      }),
    ];
  });
  return Object.fromEntries(verbs) as Verbs;
}
