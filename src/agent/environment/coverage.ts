import { fileURLToPath } from "node:url";
import { UserError } from "../../errors.ts";
import type { Box } from "../../system/box.ts";
import type { Command, Identity } from "../../system/system.ts";
import { printable } from "../../system/lines.ts";
import type { Coverage, LocalPackage } from "../store/coverage.ts";
import type { RequirementsFile } from "./requirements.ts";

const coverageProgram = fileURLToPath(new URL("coverage.py", import.meta.url));

export const nothingCovered: Coverage = {
  ...{ version: 4, files: [], local: [], reads: [], outside: [] },
  ...{ whole: false, forms: [], problems: [] },
};

/** Who asks pip's parser: texts of strangers go through it. */
interface Reader {
  python: string;
  as: Identity;
  box: Box;
}

const mebibyte = 1024 * 1024;
/** Milliseconds; a text that anybody wrote takes a fraction of one second. */
const timeout = 10_000;

export function askCoverage({ python, as, box }: Reader, files: RequirementsFile[]): Command {
  const least = { processes: 16, memory: 1024 * mebibyte, fileSize: mebibyte, openFiles: 64 };
  return {
    file: python,
    args: ["-I", "-S", coverageProgram],
    input: JSON.stringify({ files }),
    ...{ as, box: { ...box, ...least }, deadline: timeout, longestOutput: 16 * mebibyte },
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

/** Of the variables that packages see, installers take some as options of their own, which may name anything there. */
export function coveredWith(coverage: Coverage, variables: Record<string, string>): Coverage {
  const isOption = (name: string): boolean => name.startsWith("PIP_") || name.startsWith("UV_");
  return Object.keys(variables).some(isOption) ? { ...coverage, whole: true } : coverage;
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
