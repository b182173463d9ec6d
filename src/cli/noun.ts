import { Command } from "commander";
import { jsonFlag } from "./flags.ts";

/** A noun of the server's: alone it lists, and each verb behind it is a command of its own, with flags of its own. */
export function nounCommand(name: string, verbs: Command[]): Command {
  const command = new Command(name).addOption(jsonFlag()).enablePositionalOptions();
  for (const verb of verbs) command.addCommand(verb);
  return command;
}
