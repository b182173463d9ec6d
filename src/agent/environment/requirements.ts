import { createHash } from "node:crypto";
import { withoutCredentials } from "../../system/credentials.ts";
import { linesOf } from "../../system/lines.ts";

/** A requirements file of the repository and, after it, every file that it includes. */
export interface RequirementsFile {
  path: string;
  text: string;
}

export interface EnvironmentInputs {
  files: RequirementsFile[];
  /** What the requirements reach in the tree; undefined: nothing. */
  tree: string | undefined;
  /** The interpreter's tag, `cpython-311`. */
  abi: string;
  installer: "uv" | "pip";
  indexes: string[];
  /** What packages see when they are built, of the app's variables. */
  variables: Record<string, string>;
  /** Raised by `reeve rebuild`. */
  generation: number;
}

/** Names an environment by all that it is built from: the same inputs are never built twice. */
export function environmentHash(inputs: EnvironmentInputs): string {
  const { files, tree, abi, installer, indexes, variables, generation } = inputs;
  const canonical = JSON.stringify([
    files.map(({ path, text }) => [path, text]),
    tree,
    abi,
    installer,
    indexes.map(withoutCredentials),
    generation,
    ...Object.entries(variables),
  ]);
  return shortHash(canonical);
}

/** Empty: packages see nothing of the variables. */
export function variablesHash(variables: Record<string, string>): string {
  const entries = Object.entries(variables);
  return entries.length === 0 ? "" : shortHash(JSON.stringify(entries));
}

function shortHash(text: string): string {
  return createHash("sha256").update(text).digest("hex").slice(0, 16);
}

/** The lines of `pip freeze` that pin a version: what a rebuild is held to. */
export function constraintsOf(packages: string): string {
  const pins: string[] = [];
  for (const line of linesOf(packages)) if (/^[A-Za-z0-9._-]+==\S+$/.test(line)) pins.push(line);
  return pins.join("\n");
}
