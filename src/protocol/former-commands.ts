/**
 * How commands were typed once. Each still does the same, and stands in no help and on no page: scripts and fingers
 * know it. Words in capitals stand for what is typed in their place; what was typed besides stays behind the rest.
 * The first that fits is taken.
 */
export const formerForms: readonly (readonly [former: string, today: string])[] = [
  ["settings", "vars"],
  ["account list", "accounts"],
  ["account", "accounts"],
  ["token list ACCOUNT", "tokens --account ACCOUNT"],
  ["token list", "tokens"],
  ["token", "tokens"],
  ["key list ACCOUNT", "keys --account ACCOUNT"],
  ["key list", "keys"],
  ["key", "keys"],
  ["preview ACTION APP BRANCH", "previews APP ACTION BRANCH"],
  ["preview ACTION APP", "previews APP ACTION"],
  ["preview", "previews"],
  ["deploy-log APP NUMBER", "logs APP --deploy NUMBER"],
  ["deploy-log APP", "logs APP --deploy"],
  ["deploy-log", "logs"],
];

/** The same command as one types it today, if it was one of a former form. */
export function inTodaysForm(words: readonly string[]): readonly string[] {
  // `reeve help settings` asks about a command too.
  if (words[0] === "help") return ["help", ...inTodaysForm(words.slice(1))];
  for (const [former, today] of formerForms) {
    const translated = translate(former.split(" "), today.split(" "), words);
    if (translated) return translated;
  }
  return words;
}

function translate(
  former: string[],
  today: string[],
  words: readonly string[],
): readonly string[] | undefined {
  const rest = [...words];
  const values = new Map<string, string>();
  for (const part of former) {
    // Of the forms whose words change places no flag has a value, so what begins with "-" is nobody's place.
    const place = isPlace(part) ? rest.findIndex((word) => !word.startsWith("-")) : 0;
    const [word] = place < 0 ? [] : rest.splice(place, 1);
    if (word === undefined || (!isPlace(part) && word !== part)) return undefined;
    values.set(part, word);
  }
  return [...today.map((part) => (isPlace(part) ? (values.get(part) ?? part) : part)), ...rest];
}

function isPlace(part: string): boolean {
  return part === part.toUpperCase();
}
