import { readdirSync } from "node:fs";
import { extname, join } from "node:path";

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

/** What a command was called once, and still answers to; no help and no page lists it. */
export const formerCommandNames: Readonly<Record<string, string>> = { settings: "vars" };

/** Whether somebody may ask for a command by this name. */
export function isCommandName(name: string): boolean {
  return commandNames.includes(name) || Object.hasOwn(formerCommandNames, name);
}
