import { posix } from "node:path";
import type { AgentRequest } from "../../protocol/agent-verbs.ts";
import { UserError } from "../../errors.ts";
import { linesOf } from "../../system/lines.ts";
import { decodeRequirements } from "./encoding.ts";
import type { CommitTree, Entry } from "./tree.ts";

type Proposal = Extract<AgentRequest<"prepare">["proposal"], { requirements: unknown[] }>;
type RequirementsFile = Proposal["requirements"][number];

const mostFiles = 50;
/** Paths that may be files: each that is none costs a git. */
const mostCandidates = 200;
/** As the agent takes it. */
const longestPath = 1000;
/** Characters of all requirements together. */
const mostRequirements = 2 * 1024 * 1024;

/**
 * `requirements.txt` and every file that it may include, in the order in which they are met. Which of them the
 * installer reads, and whether one is missing, pip's own parser says later; here none may be overlooked.
 */
export async function readRequirements(
  tree: CommitTree,
  root: string,
): Promise<RequirementsFile[]> {
  const [first] = (await tree.look([posix.join(root, "requirements.txt")])) as [Entry];
  if (first.kind === "absent") return [];
  const files: RequirementsFile[] = [];
  let length = 0;
  const met = new Set([first.path]);
  // A set hands out what is added to it meanwhile, and each path once.
  for (const path of met) {
    const bytes = await tree.readBytes(path);
    if (bytes === undefined && path !== first.path) continue;
    if (bytes === undefined)
      throw invalid(`${path}: there is no such file in the repository, or it is larger than 1 MiB`);
    const text = decodeRequirements(path, bytes);
    length += text.length;
    if (length > mostRequirements)
      throw invalid("requirements.txt and what it includes are larger than 2 MiB together");
    if (files.length === mostFiles) throw tooMany();
    files.push({ path, text });
    for (const included of includesOf(path, text)) {
      met.add(included);
      if (met.size > mostCandidates) throw tooMany();
    }
  }
  return files;
}

function tooMany(): UserError {
  return invalid(`requirements.txt includes more than ${mostFiles} files`);
}

function invalid(message: string): UserError {
  return new UserError("BUILD_TREE_INVALID", message);
}

const include = /(?:^|\s)(?:-[rc]|--[rc][a-z-]*)/g;
/** Options of one line that are looked at: both installers read one. */
const mostOptions = 4;

/** Whatever either installer may take for a file, inside the repository. */
export function* includesOf(path: string, text: string): Generator<string> {
  for (const words of linesOf(text.replace(/\\\r?\n/g, ""))) {
    if (!/-[rc]/.test(words)) continue;
    let options = 0;
    for (const { index, 0: option } of words.matchAll(include)) {
      options += 1;
      if (options > mostOptions) break;
      const rest = words.slice(index + option.length).replace(/^\s*=?\s*/, "");
      for (const target of targetsIn(rest)) {
        const resolved = posix.normalize(posix.join(posix.dirname(path), target));
        if (!/^(\/|\.\.(\/|$))/.test(resolved) && resolved.length <= longestPath) yield resolved;
      }
    }
  }
}

const word = /^(?:"(?:[^"\\]|\\.)*"|'[^']*'|\\.|[^\s"'\\])+/;

/** The first word as a shell reads it, which is pip's way, and all of the line as it stands, which is uv's. */
function targetsIn(rest: string): string[] {
  const line = rest.replace(/\s#.*$/, "").trimEnd();
  const quoted = word.exec(rest)?.[0] ?? "";
  return [quoted, line].map((target) => target.replace(/\\(.)|["']/g, "$1")).filter(Boolean);
}
