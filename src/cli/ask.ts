import { readConfig, readKey } from "../config/config.ts";
import { UserError } from "../errors.ts";
import { callVerb } from "../protocol/channel.ts";
import type { CommandAnswer, CommandName, CommandQuestion } from "../protocol/commands.ts";

/** Asks the server that runs for this folder; what it says on the way goes to the terminal. */
export async function askServer<N extends CommandName>(
  name: N,
  question: CommandQuestion<N>,
): Promise<CommandAnswer<N>> {
  const { layout } = readConfig();
  try {
    const answer = await callVerb(layout.controlSocket, name, question, {
      whenDown: `no reeve runs for ${layout.home}, or you may not speak to it`,
      onLine: (line) => console.log(line),
      key: readKey(),
    });
    return answer as CommandAnswer<N>;
  } catch (error) {
    // The hint is a command to type: it names the app that is meant.
    if (!(error instanceof UserError) || !("app" in question)) throw error;
    const hint = error.hint.replace(/\bAPP\b/g, question.app);
    throw Object.assign(new UserError(error.code, error.message, { hint }), { said: error.said });
  }
}
