import { printable } from "../../system/lines.ts";

const longestSubject = 72;
/** Characters of a message that are looked at: nobody's subject is longer. */
const longestParagraph = 4096;

/** The first paragraph of a commit's message in one line, as git's `%s` has it (git-log(1)), fit to be shown. */
export function subjectOf(commit: Buffer): string {
  const end = commit.indexOf("\n\n");
  if (end < 0) return "";
  const encoding = /^encoding (\S+)$/m.exec(commit.toString("latin1", 0, end))?.[1];
  const message = decode(commit.subarray(end + 2), encoding);
  const [paragraph = ""] = message
    .trimStart()
    .slice(0, longestParagraph)
    .split(/\n[ \t]*\n/);
  const words = paragraph.split("\n").map((words) => words.trim());
  const line = printable(words.filter(Boolean).join(" ")).replaceAll('"', "'");
  return line.length > longestSubject ? `${line.slice(0, longestSubject - 1)}…` : line;
}

/** git's default where nothing is said, and where nobody knows what is meant. */
function decode(bytes: Buffer, encoding = "utf-8"): string {
  try {
    return new TextDecoder(encoding).decode(bytes);
  } catch {
    return bytes.toString();
  }
}
