import { UserError, type ErrorCode } from "../errors.ts";
import { readValue } from "./input.ts";

/** What stands in a help for the words that are read here. */
export const assignmentWords =
  "NAME=VALUE, or NAME alone: its value is then read from standard input";

/**
 * `NAME=value …`; a value may hold anything, `=` included. One name may stand alone: its value is read, because
 * everybody on the machine can see arguments.
 */
export async function readAssignments(
  words: string[],
  code: Extract<ErrorCode, "OPTION_INVALID" | "VARIABLE_INVALID">,
  read: (name: string) => Promise<string> = readValue,
): Promise<Record<string, string>> {
  const wrong = words.find((word) => word === "" || word.startsWith("="));
  if (wrong !== undefined) throw new UserError(code, `${shown(wrong)} is not NAME=VALUE`);
  const alone = words.filter((word) => !word.includes("="));
  if (alone.length > 1) {
    const names = alone.map(shown).join(", ");
    throw new UserError(code, `${names}: only one value can be read; write NAME=VALUE`);
  }
  const entries = [];
  for (const word of words) {
    const position = word.indexOf("=");
    entries.push(
      position === -1
        ? ([word, await readGiven(word, code, read)] as const)
        : ([word.slice(0, position), word.slice(position + 1)] as const),
    );
  }
  return Object.fromEntries(entries);
}

/** A script whose standard input is empty by mistake takes no password away. */
async function readGiven(
  name: string,
  code: ErrorCode,
  read: (name: string) => Promise<string>,
): Promise<string> {
  const value = await read(name);
  if (value !== "") return value;
  throw new UserError(code, `standard input has no value for ${shown(name)}`, {
    hint: `Give it one, reeve … set ${name.slice(0, 60)} < FILE, or write ${name.slice(0, 60)}= for an empty one.`,
  });
}

/** Cut, because it may be a secret that was typed in the wrong place. */
function shown(word: string): string {
  return JSON.stringify(word.slice(0, 60));
}
