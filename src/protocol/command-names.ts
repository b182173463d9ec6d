import { readdirSync } from "node:fs";
import { extname, join } from "node:path";
import { formerForms } from "./former-commands.ts";

/** The program runs from `.js`, its tests from `.ts`. */
const extension = extname(import.meta.filename);

/**
 * What acts on a server that runs already, and is answered on the server itself and over SSH, each time judged when it
 * asks. Each is a file of `cli/commands/`, and called as that is.
 */
export const commandNames = readdirSync(join(import.meta.dirname, "..", "cli", "commands"))
  .filter((file) => extname(file) === extension)
  .map((file) => file.slice(0, -extension.length))
  .sort();

const formerNames = new Set(formerForms.map(([former]) => former.split(" ", 1)[0]));

/** Whether somebody may ask for a command by this name. */
export function isCommandName(name: string): boolean {
  return commandNames.includes(name) || formerNames.has(name);
}
