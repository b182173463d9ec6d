import type { IncomingMessage, RequestListener, ServerResponse } from "node:http";
import { text } from "node:stream/consumers";
import { z } from "zod";
import { appName } from "../app/names.ts";
import type { Question } from "../agent/questions.ts";
import { answerVerbs, type Verb, type Verbs } from "../host/channel.ts";
import { asUserError, describeError, UserError } from "../errors.ts";
import { deployByCommand, findRelease, type DeployWorld } from "../push/deploys.ts";
import { answerHook, type HookWorld } from "../push/hooks.ts";
import { holderOf } from "../push/pushers.ts";
import { administrator } from "./rights.ts";
import type { Repositories } from "./repositories.ts";

export interface Control extends HookWorld {
  repositories: Repositories;
  createApp: (app: string) => Promise<void>;
}

/** The socket that only the front's own user and root can open: git's hooks and the administrator's commands. */
export function controlListener(control: Control): RequestListener {
  const commands = answerVerbs(controlVerbs(control), (error) =>
    control.log.error({ err: error }, "a command failed by a mistake of reeve's"),
  );
  return (question, answer) => {
    const url = new URL(question.url ?? "/", "http://reeve");
    if (url.pathname.startsWith("/hooks/")) void answerHookRequest(control, url, question, answer);
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
  });
  if (!fields.success) {
    answer.writeHead(404).end();
    return;
  }
  const say = (line: string): void => {
    for (const piece of line.split("\n")) answer.write(`|${piece}\n`);
  };
  answer.writeHead(200, { "content-type": "text/plain; charset=utf-8" });
  const granted = await answerHook(control, { ...fields.data, text: await text(question) }, say);
  answer.end(granted ? "=yes\n" : "=no\n");
}

const hookFields = z.object({
  hook: z.string(),
  app: appName,
  pid: z.coerce.number().int().positive(),
});

const app = z.object({ app: appName });
const settingsChange = z.object({
  set: z.record(z.string(), z.string()),
  unset: z.array(z.string()),
});

let turns = 0;

/** What the command line asks. Most of it is the agent's to answer and is handed on. */
function controlVerbs(control: Control): Verbs {
  const { agent } = control;
  const account = administrator.name;
  return {
    ...handedOn(control),
    create: verb(app, async ({ app: name }) => {
      if (await control.repositories.has(name))
        throw new UserError("APP_EXISTS", `there is an app ${name} already`);
      await control.createApp(name);
    }),
    rollback: verb(
      app.extend({ release: z.string().max(100).optional() }),
      async ({ app: name, release }, { say }) => {
        const commit = await findRelease(control, name, release);
        await deployByCommand(control, { app: name, account, reason: "rollback", commit }, say);
      },
    ),
    redeploy: verb(app, ({ app: name }, { say }) =>
      deployByCommand(control, { app: name, account, reason: "redeploy" }, say),
    ),
    rebuild: verb(app, ({ app: name }, { say }) =>
      deployByCommand(control, { app: name, account, reason: "rebuild" }, say),
    ),
    changeSettings: verb(
      app.extend({ change: settingsChange }),
      async ({ app: name, change }, { say }) => {
        await changeSettings(control, { app: name, change }, say);
      },
    ),
    cancel: verb(app, async ({ app: name }, { say }) => {
      const { number } = await agent.ask("cancel", { app: name, account });
      say(`${name}: deploy ${number} is cancelled`);
    }),
    reconcile: verb(z.object({}), async (_, { say }) => {
      const did = await reconcileAll(control, say);
      if (!did) say("everything is as it should be");
    }),
    destroy: verb(app, async ({ app: name }) => {
      const holder = holderOf(process.pid, 1_000_000 + ++turns);
      await agent.ask("destroy", { app: name, holder }).catch(async (error: unknown) => {
        // One that was cut off after the agent's part left the repository alone.
        const isGone = asUserError(error).code === "APP_UNKNOWN";
        if (!isGone || !(await control.repositories.has(name))) throw error;
      });
      await control.repositories.remove(name);
    }),
  };
}

/** Has everything put right, and what a branch names and nobody deployed put on the air. Resolves to whether anything was done. */
export async function reconcileAll(
  control: Control,
  say: (line: string) => void,
): Promise<boolean> {
  const { done, astray } = await control.agent.ask("reconcile", {});
  const swept = await control.repositories.sweep();
  for (const line of [...done, ...swept]) say(line);
  for (const name of astray) {
    // What the branch names may not be fit for the air: the pusher's affair, and said so.
    await deployByCommand(
      control,
      { app: name, account: administrator.name, reason: "redeploy" },
      say,
    ).catch((error: unknown) => {
      const told = asUserError(error);
      if (!told.said) for (const line of describeError(told)) say(line);
    });
  }
  return done.length + swept.length + astray.length > 0;
}

/** A change of an app that is on the air is a deploy of the same commit; before the first push it just waits. */
async function changeSettings(
  control: Control & DeployWorld,
  { app: name, change }: Question<"changeSettings">,
  say: (line: string) => void,
): Promise<void> {
  const { state } = await control.agent.ask("show", { app: name });
  if (state === "never deployed") {
    await control.agent.ask("changeSettings", { app: name, change });
    say(`${name}: kept for its first deploy`);
    return;
  }
  await deployByCommand(
    control,
    { app: name, account: administrator.name, reason: "settings", settings: change },
    say,
  );
}

const handedOnNames = [
  "apps",
  "show",
  "releases",
  "deploys",
  "deployLog",
  "logs",
  "options",
  "setOptions",
  "settings",
] as const;

function handedOn({ agent }: Control): Verbs {
  const verbs = handedOnNames.map((name) => [
    name,
    // The agent checks the fields; here they are only passed through.
    verb(z.record(z.string(), z.unknown()), (question, { say, gone }) =>
      agent.ask(name, question as Question<typeof name>, { onLine: say, signal: gone }),
    ),
  ]);
  return Object.fromEntries(verbs) as Verbs;
}

function verb<I, R>(input: z.ZodType<I>, run: Verb<I, R>["run"]): Verb<I, R> {
  return { input, run };
}
