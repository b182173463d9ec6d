import type { Answers } from "../protocol/answers.ts";
import type { Question, QuestionName } from "../protocol/questions.ts";
import { readConfig, readKey } from "../config/config.ts";
import { UserError } from "../errors.ts";
import type { AccountAnswers, AccountQuestion, AccountVerb } from "../front/account-verbs.ts";
import { callVerb } from "../host/channel.ts";

/** What the front's control socket adds to the agent's own questions. */
interface Commands {
  create: { app: string };
  rollback: { app: string; release?: string };
  rollbackPreview: { app: string; branch: string; release?: string };
  redeploy: { app: string };
  redeployPreview: { app: string; branch: string };
  rebuild: { app: string };
  rebuildPreview: { app: string; branch: string };
  cancel: { app: string };
  cancelPreview: { app: string; branch: string };
  reconcile: Record<string, never>;
  changeSettings: Question<"changeSettings">;
  pinPreview: Question<"pinPreview">;
  removePreview: { app: string; branch: string };
  destroy: { app: string };
}

interface AskOptions {
  onLine?: (line: string) => void;
}

/** Asks the server that runs for this folder something that changes nothing. */
export async function askServer<N extends QuestionName>(
  name: N,
  question: Question<N>,
  options: AskOptions = {},
): Promise<Answers[N]> {
  return (await call(name, question, options)) as Answers[N];
}

/** Asks the server, or has it do, something about accounts. */
export async function askAccounts<N extends AccountVerb>(
  name: N,
  question: AccountQuestion<N>,
): Promise<AccountAnswers[N]> {
  return (await call(name, question, {})) as AccountAnswers[N];
}

/** Has the server do something; what it says on the way goes to the terminal. */
export async function commandServer<N extends keyof Commands>(
  name: N,
  question: Commands[N],
): Promise<void> {
  await call(name, question, { onLine: (line) => console.log(line) });
}

async function call(name: string, question: object, options: AskOptions): Promise<unknown> {
  const { layout } = readConfig();
  const whenDown = `no reeve runs for ${layout.home}, or you may not speak to it`;
  try {
    return await callVerb(layout.controlSocket, name, question, {
      ...options,
      whenDown,
      key: readKey(),
    });
  } catch (error) {
    // The hint is a command to type: it names the app that is meant.
    if (!(error instanceof UserError) || !("app" in question)) throw error;
    const hint = error.hint.replace(/\bAPP\b/g, String(question.app));
    throw Object.assign(new UserError(error.code, error.message, { hint }), { said: error.said });
  }
}
