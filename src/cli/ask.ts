import { readConfig, readKey } from "../config/config.ts";
import { UserError } from "../errors.ts";
import { callVerb } from "../protocol/channel.ts";
import type { CommandResponse, CommandName, CommandRequest } from "../protocol/commands.ts";

/** Asks the server that runs for this folder; what it says on the way goes to the terminal. */
export async function askServer<N extends CommandName>(
  name: N,
  request: CommandRequest<N>,
  onLine: (line: string) => void = (line) => console.log(line),
): Promise<CommandResponse<N>> {
  const { layout } = readConfig();
  try {
    const answer = await callVerb(layout.controlSocket, name, request, {
      whenDown: `no reeve runs for ${layout.home}, or you may not speak to it`,
      onLine,
      key: readKey(),
    });
    return answer as CommandResponse<N>;
  } catch (error) {
    // The hint is a command to type: it names the app that is meant.
    if (!(error instanceof UserError) || !("app" in request)) throw error;
    const hint = error.hint.replace(/\bAPP\b/g, request.app);
    throw Object.assign(new UserError(error.code, error.message, { hint }), { said: error.said });
  }
}
