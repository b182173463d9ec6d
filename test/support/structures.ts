/** What uWSGI makes of an ini: sections and keys in their order, with the values apart. */
export function readIni(text: string): { keys: string[]; values: string[] } {
  const lines = text
    .split(/\r\n|[\r\n\u2028\u2029]/)
    .map((line) => line.trim())
    .filter((line) => line !== "" && !line.startsWith(";") && !line.startsWith("#"));
  return {
    keys: lines.map((line) => line.split("=")[0]!.trim()),
    values: lines.map((line) => line.slice(line.indexOf("=") + 1).trim()),
  };
}

export interface Directive {
  name: string;
  words: string[];
  block: Directive[] | undefined;
}

/** What nginx makes of a configuration: directives with their arguments, blocks within blocks. */
export function readNginx(text: string): Directive[] {
  const tokens = [...text.matchAll(/#[^\n]*|[{};]|"(?:\\.|[^"])*"|'(?:\\.|[^'])*'|[^\s{};]+/g)]
    .map(([token]) => token)
    .filter((token) => !token.startsWith("#"));
  const root: Directive[] = [];
  const open = [root];
  let words: string[] = [];
  for (const token of tokens) {
    if (token === "}") open.pop();
    else if (token === ";" || token === "{") {
      const block = token === "{" ? [] : undefined;
      open.at(-1)?.push({ name: words[0] ?? "", words: words.slice(1), block });
      if (block) open.push(block);
      words = [];
    } else words.push(token);
  }
  if (open.length !== 1 || words.length > 0) throw new Error("a block or a directive has no end");
  return root;
}

/** The same without what stands in the leaves. */
export function shapeOf(directives: Directive[]): unknown[] {
  return directives.map(({ name, words, block }) => [name, words.length, block && shapeOf(block)]);
}
