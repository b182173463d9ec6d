import { fileURLToPath } from "node:url";
import { gitCommand, type GitContext } from "../../system/git.ts";
import { writingIn, type Box } from "../../system/box.ts";
import type { Command, Identity } from "../../system/system.ts";
import type { Errand } from "../../system/walker.ts";

const bytecodeProgram = fileURLToPath(new URL("bytecode.py", import.meta.url));

/** Bytes that two releases' names can make together, the letter and the zero byte for each included. */
const longestChanges = 48 * 1024 * 1024;

/** What differs between two trees: `A`, `M`, `D` or `T` and a name, all separated by NUL. */
export function listChanges(git: GitContext, from: string, to: string): Command {
  return gitCommand(git, ["diff-tree", "-r", "-z", "--name-status", "--no-renames", from, to], {
    longestOutput: longestChanges,
  });
}

/**
 * What differs between what an index names and a commit, in the same form. It takes a look at every file, and needs
 * nothing of the commit that the index was made from.
 */
export function listChangesOfIndex(git: GitContext, index: string, to: string): Command {
  const form = ["-z", "--name-status", "--no-renames"];
  return gitCommand(git, ["diff-index", "--cached", "-R", ...form, to], {
    env: { GIT_INDEX_FILE: index },
    longestOutput: longestChanges,
  });
}

/** Every file and every folder of a commit's tree, as often as it stands there: mode, id, size and path, one each line. */
export function listEntries(git: GitContext, commit: string): Command {
  const format = "--format=%(objectmode) %(objectname) %(objectsize) %(path)";
  return gitCommand(git, ["-c", "core.quotePath=false", "ls-tree", "-r", "-t", format, commit]);
}

/** Bytes of what git says before an object: its id, its type, and its size. */
const longestHeader = 80;

/** These objects one after the other, each with a line before it: `ID TYPE SIZE`. */
export function readObjects(git: GitContext, objects: { id: string; size: number }[]): Command {
  return gitCommand(git, ["cat-file", "--batch"], {
    input: objects.map(({ id }) => `${id}\n`).join(""),
    encoding: "latin1",
    longestOutput: objects.reduce((sum, { size }) => sum + longestHeader + size, 0),
  });
}

/** Bytes of what `.gitmodules` may say, and milliseconds for git to read it. */
const longestModules = 256 * 1024;
const timeout = 10_000;

/** Which folders `.gitmodules` names, and by which addresses; of what else it says git reads nothing. */
export function listModules(git: GitContext, box: Box, commit: string): Command {
  const keys = "^submodule\\..*\\.(path|url)$";
  const words = ["config", `--blob=${commit}:.gitmodules`, "-z", "--get-regexp", keys];
  return gitCommand(git, words, {
    ...{ box, deadline: timeout, longestOutput: longestModules },
  });
}

export interface Change {
  kind: string;
  name: string;
}

export function parseChanges(output: string): Change[] {
  const words = output.split("\0");
  const changes: Change[] = [];
  for (let index = 0; index + 1 < words.length; index += 2) {
    changes.push({ kind: words[index] ?? "", name: words[index + 1] ?? "" });
  }
  return changes;
}

/**
 * Turns the staging tree into the commit's. The index trusts size and time alone (`core.checkStat`),
 * because sealing changed the owner of every file behind its back.
 */
export function checkOut(
  git: GitContext,
  staging: { tree: string; index: string },
  commit: string,
): Command {
  const settings = [
    "core.checkStat=minimal",
    "core.trustctime=false",
    "checkout.workers=0",
    "core.hooksPath=/dev/null",
  ];
  return gitCommand(
    git,
    [
      ...settings.flatMap((setting) => ["-c", setting]),
      `--work-tree=${staging.tree}`,
      "read-tree",
      "--reset",
      "-u",
      "--no-recurse-submodules",
      commit,
    ],
    { env: { GIT_INDEX_FILE: staging.index }, cwd: staging.tree },
  );
}

/** The sources among the changes, as `bytecode.py` reads them: to compile, or to forget. */
export function sourcesIn(changes: Change[]): string[] {
  return changes
    .filter((change) => change.name.endsWith(".py"))
    .map(({ kind, name }) => `${kind === "D" ? "-" : "+"}${name}`);
}

/** Stands for every source that has no bytecode yet. */
export const everySource = ["*"];

/** Who compiles, and within which limits: a source may be written to take the compiler for ever. */
export interface Compiler {
  python: string;
  as: Identity;
  box: Box;
  /** Milliseconds. */
  deadline: number;
}

export function compileSources(
  { python, as, box, deadline }: Compiler,
  tree: string,
  sources: string[],
): Command {
  return {
    file: python,
    args: ["-I", "-S", bytecodeProgram],
    cwd: tree,
    input: sources.join("\0"),
    ...{ as, box: writingIn(box, tree), deadline },
  };
}

interface Users {
  appUser: Identity;
  gitUser: Identity;
  system: { isRoot: boolean };
}

/**
 * A release is nobody's to write: with root it belongs to root, else what it holds is at least read-only; its own
 * folder can still be moved. What came by hard links from the release before is root's already; only git's own
 * files change hands, while the app may read them.
 */
export function sealOf(tree: string, { appUser, gitUser, system }: Users): Errand {
  return system.isRoot
    ? {
        ...{ do: "give", path: tree, owner: { uid: 0, gid: appUser.gid }, of: gitUser.uid },
        ...{ clear: writeBits & ~0o200, live: true },
      }
    : { do: "give", path: tree, clear: writeBits, top: 0o755 };
}

/** Set-user-ID, set-group-ID and sticky bits go with them. */
const writeBits = 0o7222;

/** Folders can be written again by git, which replaces files and never writes into them. */
export function openingOf(tree: string, { gitUser, system }: Users): Errand {
  return { do: "give", path: tree, only: "folders", ...forGit({ gitUser, system }) };
}

/** A second name for each file of a sealed release, in folders that are git's to write. */
export function linkedCopyOf(from: string, to: string, users: Users): Errand {
  return { do: "copy", path: from, to, by: "links", ...forGit(users) };
}

function forGit({ gitUser, system }: Pick<Users, "gitUser" | "system">): {
  owner: Identity | undefined;
  add: number;
} {
  return { owner: system.isRoot ? gitUser : undefined, add: 0o200 };
}

/** The refs, hidden from everybody, that keep releases' commits from git's garbage collection. */
export function pinReleases(git: GitContext, instance: string, commits: string[]): Command {
  const lines = commits.map((commit) => `update ${pinOf(instance, commit)} ${commit}\n`);
  return gitCommand(git, ["-c", "core.hooksPath=/dev/null", "update-ref", "--stdin"], {
    input: lines.join(""),
  });
}

export function unpinRelease(git: GitContext, instance: string, commit: string): Command {
  return gitCommand(git, [
    "-c",
    "core.hooksPath=/dev/null",
    "update-ref",
    "-d",
    pinOf(instance, commit),
  ]);
}

function pinOf(instance: string, commit: string): string {
  return `refs/reeve/releases/${instance}/${commit}`;
}
