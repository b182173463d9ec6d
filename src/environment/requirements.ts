import { createHash } from "node:crypto";
import { linesOf } from "../host/lines.ts";

/** A requirements file of the repository and, after it, every file that it includes. */
export interface RequirementsFile {
  path: string;
  text: string;
}

export interface EnvironmentInputs {
  files: RequirementsFile[];
  /** The release's commit, where the requirements install parts of the tree itself. */
  tree: string | undefined;
  /** The interpreter's tag, `cpython-311`. */
  abi: string;
  installer: "uv" | "pip";
  indexes: string[];
  /** Raised by `reeve rebuild`. */
  generation: number;
}

/** Names an environment by all that it is built from: the same inputs are never built twice. */
export function environmentHash(inputs: EnvironmentInputs): string {
  const { files, tree, abi, installer, indexes, generation } = inputs;
  const canonical = JSON.stringify([
    files.map(({ path, text }) => [path, text]),
    tree,
    abi,
    installer,
    indexes.map(withoutCredentials),
    generation,
  ]);
  return createHash("sha256").update(canonical).digest("hex").slice(0, 16);
}

const editable = /^\s*(-e|--editable)[\s=]+/;
/** Characters of a line that are looked at: no path is longer. */
const longestLine = 8192;

/** Whether a line installs a path of the release rather than a package of an index. */
export function isLocalPath(line: string): boolean {
  const words = line.trimStart().slice(0, longestLine);
  const target = words
    .replace(editable, "")
    .replace(/^[A-Za-z0-9._-]+\s*(?:\[[^\]@]*\]\s*)?@/, "")
    .trim();
  return (
    /^(\.{1,2}(\/|$|\[)|file:\.|[A-Za-z0-9_.-]+\/(?!\/)[^@\s]*$)/.test(target) ||
    (editable.test(words) && !/^[a-z+]+:\/\//.test(target))
  );
}

export function hasLocalPaths(files: RequirementsFile[]): boolean {
  for (const file of files)
    for (const line of linesOf(file.text, longestLine)) if (isLocalPath(line)) return true;
  return false;
}

/** Options that name where packages are, as a folder of the tree may be. */
const places = /^\s*(?:-f|--find-links|-i|--index-url|--pypi-url|--extra-index-url)[\s=]/;
const elsewhere = /[\s="'](?:\/|[a-z+]+:\/\/)/i;
/** A file of packages, which may stand in the tree under its mere name. */
const archive = /\.(?:whl|zip|tgz|tbz|txz|tar)\b/i;

/** Whether the installer reads more of the tree than these files. */
export function needTree(files: RequirementsFile[]): boolean {
  const reaches = (line: string): boolean =>
    isLocalPath(line) ||
    /\bfile:(?!\/)/.test(line) ||
    (!elsewhere.test(line) && (places.test(line) || archive.test(line)));
  for (const file of files)
    for (const line of linesOf(file.text, longestLine)) if (reaches(line)) return true;
  return false;
}

/** A sealed release is never edited, so its own packages are installed for good: `-e .` becomes `.`. */
export function withoutEditable(text: string): string {
  return text
    .split("\n")
    .map((line) => (isLocalPath(line) ? line.replace(editable, "") : line))
    .join("\n");
}

/** The lines of `pip freeze` that pin a version: what a rebuild is held to. */
export function constraintsOf(packages: string): string {
  const pins: string[] = [];
  for (const line of linesOf(packages)) if (/^[A-Za-z0-9._-]+==\S+$/.test(line)) pins.push(line);
  return pins.join("\n");
}

const credentials = /(\/\/)[^/\s]+@/g;

export function withoutCredentials(text: string): string {
  return text.replace(credentials, "$1***@");
}
