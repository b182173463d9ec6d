import { UserError, type ErrorCode } from "../errors.ts";

/** `NAME=value …`; a value may hold anything, `=` included. */
export function parseAssignments(
  words: string[],
  code: Extract<ErrorCode, "OPTION_INVALID" | "SETTING_INVALID">,
): Record<string, string> {
  const entries = words.map((word) => {
    const position = word.indexOf("=");
    if (position < 1)
      throw new UserError(code, `${JSON.stringify(word.slice(0, 60))} is not NAME=VALUE`);
    return [word.slice(0, position), word.slice(position + 1)] as const;
  });
  return Object.fromEntries(entries);
}
