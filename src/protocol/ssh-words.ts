const longestCommand = 64 * 1024;

/**
 * A command line in words, as a shell would split it, and nothing else of a shell: quotes and backslashes
 * keep a character as it is. Undefined where a quote is not closed or a control character is in it.
 */
export function splitWords(line: string): string[] | undefined {
  if (line.length > longestCommand || /\p{Cc}/u.test(line.replaceAll("\t", " "))) return undefined;
  const words: string[] = [];
  let word: string | undefined;
  let quote = "";
  for (let position = 0; position < line.length; position++) {
    const letter = line.charAt(position);
    const isBlank = letter === " " || letter === "\t";
    if (quote === "" && isBlank) {
      if (word !== undefined) words.push(word);
      word = undefined;
    } else if (letter === quote) quote = "";
    else if (quote === "" && (letter === "'" || letter === '"')) {
      quote = letter;
      word ??= "";
    } else if (letter === "\\" && quote !== "'") {
      position += 1;
      if (position === line.length) return undefined;
      word = (word ?? "") + line.charAt(position);
    } else word = (word ?? "") + letter;
  }
  if (quote !== "") return undefined;
  if (word !== undefined) words.push(word);
  return words;
}
