import { createHash } from "node:crypto";
import { withoutCredentials } from "../../system/credentials.ts";
import type { Coverage } from "../store/coverage.ts";
import type { Origin } from "../store/environments.ts";
import type { Basis } from "./environment.ts";
import type { EnvironmentInputs } from "./requirements.ts";

type Texts = Omit<EnvironmentInputs, "tree">;

export function originOf(hash: string, inputs: Texts): Origin {
  const { files, abi, installer, indexes, variables, generation } = inputs;
  const lines = files.flatMap(({ text }) => linesIn(text));
  const options = new Set(lines.filter(isOption));
  const places = indexes.map(withoutCredentials);
  const ground = [abi, installer, places, variables, generation, [...options].sort()];
  return { hash, ground: shortName(JSON.stringify(ground)), lines: namesOf(lines) };
}

/**
 * The one with which most of the installing is done already, the last to be built first; undefined where each would
 * have to be looked at more closely than it saves. `origins`: those that are there.
 */
export function nearestBasis(
  origins: readonly Origin[],
  wanted: Origin,
  { files, installer, coverage }: Texts & { coverage: Coverage },
): Basis | undefined {
  // pip removes nothing that the requirements no longer say.
  if (installer !== "uv") return undefined;
  if (files.some(({ text }) => text.length > longestFile)) return undefined;
  const needed = new Set(wanted.lines);
  let nearest: Origin | undefined;
  let most = 0;
  for (const origin of origins) {
    if (origin.ground !== wanted.ground) continue;
    const shared = origin.lines.filter((line) => needed.has(line)).length;
    if (shared > most) [nearest, most] = [origin, shared];
  }
  if (!nearest) return undefined;
  const known = new Set(nearest.lines);
  const particular = files
    .flatMap(({ text }) => linesIn(text))
    .filter((line) => !isOption(line) && /\s--/.test(line) && !known.has(shortName(line)));
  const { whole, reads, local, outside } = coverage;
  const namesFiles = whole || reads.length > 0;
  return {
    hash: nearest.hash,
    without: particular.map(packageOf),
    // A wheel of the tree may be another one by now, of the same version, or come before that of an index. A package of
    // the tree may have such an index of its own, in its `tool.uv.sources`.
    withoutArchived: namesFiles || local.length > 0,
    withoutFiles: namesFiles || (local.length > 0 && outside.length === 0),
    isAlike: !namesFiles && nearest.lines.join() === wanted.lines.join(),
  };
}

/** Characters of a file that is looked at line by line: with the hashes of a thousand packages it has no more. */
const longestFile = 512 * 1024;

/** As pip joins them, which is near enough: what is split otherwise is a line that no other one equals. */
function linesIn(text: string): string[] {
  if (text.length > longestFile) return [text];
  return text
    .replaceAll(/\\\r?\n/g, " ")
    .split(/[\r\n]+/)
    .map((line) => line.replace(/(^|\s)#.*/, "").trim())
    .filter(Boolean);
}

/** Of the whole file, and not one that names another file or a package. */
function isOption(line: string): boolean {
  return /^-(?!r|c|e|-requirement|-constraint|-editable)/.test(line);
}

/** What its own options say of a package, a hash say, is not asked of one that is there. */
function packageOf(line: string): string {
  return /^[\w.-]+/.exec(line)?.[0] ?? "";
}

/** Longer requirements than these are written by nobody, and not kept. */
const mostLines = 2000;

function namesOf(lines: string[]): string[] {
  return lines.length > mostLines ? [] : [...new Set(lines.map(shortName))];
}

function shortName(text: string): string {
  return createHash("sha256").update(text).digest("base64url").slice(0, 10);
}
