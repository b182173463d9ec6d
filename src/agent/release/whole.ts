import { quoted } from "../../names/names.ts";
import { UserError } from "../../errors.ts";
import { CommandFailed } from "../../system/system.ts";
import { readModules, type Looking } from "./modules.ts";
import { readObjects } from "./release-commands.ts";
import type { Entry, Suspects } from "./size.ts";

/**
 * Refuses a commit that leaves out what the app is to have. The tree says so itself, whatever `.gitmodules` and
 * `.gitattributes` say: what stands for a repository is a folder of nothing, what stands for a file a few lines.
 */
export async function expectWhole(looking: Looking, suspects: Suspects): Promise<void> {
  const { commit, links, pointers } = suspects;
  if (links.length > 0) {
    const modules = await readModules(looking, commit);
    throw linked(
      links.slice(0, mostNamed),
      links.every(({ path }) => modules.has(path)),
    );
  }
  const found = await pointersAmong(looking, pointers);
  if (found.length > 0) throw pointed(found);
}

/** `areNamed`: `.gitmodules` says where to find them. */
function linked(links: Entry[], areNamed: boolean): UserError {
  return new UserError(
    "BUILD_TREE_INVALID",
    `${links.map(({ path }) => path).join(", ")}: here the commit names a commit of another repository, and has none of its files`,
    areNamed
      ? {
          hint: "With the option submodules reeve fetches them. Set it, and push again: reeve options APP set submodules=true",
        }
      : puttingIn(links),
  );
}

/** What somebody does who has the files of these folders. */
export function puttingIn(links: Pick<Entry, "path">[]): { hint: string } {
  const all = links.map(({ path }) => pathWord(path)).join(" ");
  const folders = links.map(({ path }) => pathWord(path, "/.git")).join(" ");
  return {
    hint: `Put the files into this repository, commit, and push again: git rm --cached ${all} && rm -rf ${folders} && git add ${all}`,
  };
}

function pointed(paths: string[]): UserError {
  // The file as it is in the working tree, past the filter that would make a pointer of it again.
  const past = "git -c filter.lfs.process= -c filter.lfs.required=false add --renormalize";
  return new UserError(
    "BUILD_TREE_INVALID",
    `${paths.join(", ")}: a pointer of Git LFS, and not the file that it stands for`,
    {
      hint: `Have git lfs untrack it, put the file itself into the repository, commit, and with --no-verify, past its hook, push again: ${past} ${paths.map((path) => pathWord(path)).join(" ")}`,
    },
  );
}

/** A path as a shell takes it; git has put one with control characters in quotes already, and so does bash read them. */
function pathWord(path: string, end = ""): string {
  const inQuotes = /^"(.*)"$/.exec(path)?.[1];
  if (inQuotes !== undefined) return `$'./${inQuotes.replaceAll("'", "\\'")}${end}'`;
  return quoted(`${path.startsWith("-") ? "./" : ""}${path}${end}`);
}

/** Those that were read and are no pointers: what is the same in the next commit is not read again. */
const plain = new Set<string>();
const mostKept = 100_000;
const mostNamed = 5;

async function pointersAmong({ system, git, signal }: Looking, files: Entry[]): Promise<string[]> {
  const unknown = new Map(files.filter(({ id }) => !plain.has(id)).map((file) => [file.id, file]));
  if (unknown.size === 0) return [];
  const asked = [...unknown.values()];
  const output = await system.run(readObjects(git, asked), { signal }).catch((error: unknown) => {
    if (!(error instanceof CommandFailed)) throw error;
    const message = `git could not read what the commit holds:\n${error.message}`;
    throw new UserError("RELEASE_FAILED", message, { cause: error });
  });
  const found: string[] = [];
  if (plain.size + asked.length > mostKept) plain.clear();
  let at = 0;
  for (const { id, size, path } of asked) {
    const start = output.indexOf("\n", at) + 1;
    at = start + size + 1;
    if (!pointer.test(output.slice(start, start + size))) plain.add(id);
    else if (found.length < mostNamed) found.push(path);
  }
  return found;
}

/** By its address of today, or by that of before its first release. */
const pointer =
  /^version https:\/\/(?:git-lfs|hawser)\.github\.com\/spec\/v1\r?\noid sha256:[0-9a-f]{64}\r?\n/;
