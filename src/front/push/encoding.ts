import { UserError } from "../../errors.ts";

/** What begins a file that says so, as pip takes it (its utils/encoding.py); the longer ones come first. */
const marks: [mark: number[], encoding: string | undefined][] = [
  [[0xff, 0xfe, 0, 0], undefined],
  [[0, 0, 0xfe, 0xff], undefined],
  [[0xef, 0xbb, 0xbf], "utf-8"],
  [[0xff, 0xfe], "utf-16le"],
  [[0xfe, 0xff], "utf-16be"],
];
/** PEP 263, in one of the first two lines. */
const declaration = /^(#[^\n]{0,500}?coding[:=]\s{0,100})([\w.-]{1,100})/;
const latin1 = /^(?:latin[-_]?1|l1|iso[-_]?8859[-_]1)$/i;

/** The text of requirements, in whatever encoding pip would read them; all who come later read UTF-8. */
export function decodeRequirements(path: string, bytes: Buffer): string {
  const marked = marks.find(([mark]) => mark.every((byte, index) => bytes[index] === byte));
  const holdsZero = (): UserError =>
    unreadable(`${path} holds a zero byte`, path, bytes[0] === 0 ? "UTF-16BE" : "UTF-16LE");
  if (!marked && bytes.includes(0)) throw holdsZero();
  const text = marked ? decode(path, bytes, marked[1]) : decodeDeclared(path, bytes);
  if (text.includes("\0")) throw holdsZero();
  return text;
}

function decodeDeclared(path: string, bytes: Buffer): string {
  const [first = "", second = ""] = bytes.toString("latin1", 0, 2000).split("\n");
  for (const line of [first, second]) {
    const [, before = "", label] = declaration.exec(line) ?? [];
    if (label === undefined || /^(?:utf[-_]?8|(?:us-)?ascii)$/i.test(label)) continue;
    const text = latin1.test(label) ? bytes.toString("latin1") : decode(path, bytes, label);
    return text.replace(`${before}${label}`, `${before}utf-8`);
  }
  return decode(path, bytes, "utf-8");
}

function decode(path: string, bytes: Buffer, encoding: string | undefined): string {
  try {
    if (encoding !== undefined) return new TextDecoder(encoding, { fatal: true }).decode(bytes);
  } catch {
    // It says what it is not, or what nobody here knows.
  }
  const from = encoding === undefined ? "UTF-32" : encoding === "utf-8" ? "LATIN1" : encoding;
  throw unreadable(
    `${path} could not be read as ${encoding ?? "UTF-32"}`,
    path,
    from.toUpperCase(),
  );
}

function unreadable(message: string, path: string, from: string): UserError {
  const quoted = `'${path.replaceAll("'", `'\\''`)}'`;
  return new UserError("BUILD_TREE_INVALID", message, {
    hint: `Save it as UTF-8, with your editor or by: iconv -f ${from} -t UTF-8 ${quoted} > utf-8.txt && mv utf-8.txt ${quoted}`,
  });
}
