import { z } from "zod";
import { fromJson } from "../../system/json.ts";

const word = z.string().max(8192);
const line = z.int().positive();
const many = 1000;

/** A package of the tree itself, with the lines of the requirements that name it. */
const localPackage = z.object({
  file: word,
  first: line,
  last: line,
  /** Its folder in the tree; `.` for the tree's own, and where nobody can say which one it is. */
  path: word,
  editable: z.boolean(),
  extras: z.array(word).max(many),
  /** What stands there, without the option that makes it editable. */
  text: word,
});

/** As `environment/coverage.py` answers, and as it is kept. Another version of the answer is asked for again. */
const coverage = z.object({
  version: z.literal(4),
  /** Of the files that it was given, those that are read at all. */
  files: z.array(word).max(50),
  local: z.array(localPackage).max(many),
  /** What else of the tree is read: an archive of a package, or a folder in which some may be. */
  reads: z.array(z.object({ path: word, as: z.enum(["archive", "folder"]) })).max(2 * many),
  /** Paths of the machine, which no push changes. */
  outside: z.array(word).max(many),
  /** What is reached is not sure: the whole tree counts. */
  whole: z.boolean(),
  /** Lines that pip reads and uv refuses, or reads as something else. */
  forms: z.array(z.object({ path: word, line, text: word })).max(many),
  problems: z.array(z.object({ path: word, line, message: word })).max(many),
});

/** What of a tree an installer can reach through requirements. */
export type Coverage = z.infer<typeof coverage>;
export type LocalPackage = z.infer<typeof localPackage>;

/** Undefined where it is no such answer, or one of another version. */
export function parseCoverage(text: string): Coverage | undefined {
  return fromJson(coverage, text);
}
