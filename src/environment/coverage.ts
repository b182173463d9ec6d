import { fileURLToPath } from "node:url";
import { z } from "zod";
import { UserError } from "../errors.ts";
import type { Box } from "../host/box.ts";
import type { Command, Identity } from "../host/host.ts";
import { printable } from "../host/lines.ts";
import type { RequirementsFile } from "./requirements.ts";

const coverageProgram = fileURLToPath(new URL("coverage.py", import.meta.url));

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

/** As `coverage.py` answers. Another version of the answer is asked for again. */
const coverageAnswer = z.object({
  version: z.literal(3),
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
export type Coverage = z.infer<typeof coverageAnswer>;
type LocalPackage = z.infer<typeof localPackage>;

export const nothingCovered: Coverage = {
  ...{ version: 3, files: [], local: [], reads: [], outside: [] },
  ...{ whole: false, forms: [], problems: [] },
};

/** Undefined where it is no such answer, or one of another version. */
export function parseCoverage(output: string): Coverage | undefined {
  try {
    return coverageAnswer.safeParse(JSON.parse(output)).data;
  } catch {
    return undefined;
  }
}

/** Who asks pip's parser: texts of strangers go through it. */
interface Reader {
  python: string;
  as: Identity;
  box: Box;
}

const mebibyte = 1024 * 1024;
/** Milliseconds; a text that anybody wrote takes a fraction of one second. */
const patience = 10_000;

export function askCoverage({ python, as, box }: Reader, files: RequirementsFile[]): Command {
  const least = { processes: 16, memory: 1024 * mebibyte, fileSize: mebibyte, openFiles: 64 };
  return {
    file: python,
    args: ["-I", "-S", coverageProgram],
    input: JSON.stringify({ files }),
    ...{ as, box: { ...box, ...least }, deadline: patience, longestOutput: 16 * mebibyte },
  };
}

/** Refuses what no installer is to be handed. */
export function expectCovered({ problems: [problem] }: Coverage): void {
  if (!problem) return;
  const { path, line: number, message } = problem;
  throw new UserError("BUILD_TREE_INVALID", printable(`${path}, line ${number}: ${message}`));
}

/** Whether the installer needs more of the tree than the requirements themselves. */
export function reachesTree({ local, reads, whole }: Coverage): boolean {
  return whole || local.length > 0 || reads.length > 0;
}

/** The files that the installer reads, in the order in which they were met. */
export function filesCovered(files: RequirementsFile[], coverage: Coverage): RequirementsFile[] {
  const read = new Set(coverage.files);
  return files.filter(({ path }) => read.has(path));
}

/** The tree's own packages as pip and uv both take them. */
export function withEditable(file: RequirementsFile, coverage: Coverage): string {
  return withLocal(file, coverage, ({ editable, text }) => (editable ? `-e ${text}` : undefined));
}

/** The same, installed for good: `-e .` becomes `.`. */
export function withoutEditable(file: RequirementsFile, coverage: Coverage): string {
  return withLocal(file, coverage, ({ editable, text }) => (editable ? text : undefined));
}

/** What comes from elsewhere than the tree's own packages; every line keeps its number. */
export function withoutLocal(file: RequirementsFile, coverage: Coverage): string {
  return withLocal(file, coverage, () => "");
}

/** The file with other words for the tree's own packages; undefined: those that are there. */
function withLocal(
  { path, text }: RequirementsFile,
  { local }: Coverage,
  wordsFor: (local: LocalPackage) => string | undefined,
): string {
  const mine = local.filter(({ file }) => file === path);
  if (mine.length === 0) return text;
  const lines = text.split(/\r\n|\r|\n/);
  for (const one of mine) {
    const words = wordsFor(one);
    if (words === undefined) continue;
    lines.fill("", one.first - 1, one.last);
    lines[one.first - 1] = words;
  }
  return lines.join("\n");
}
