import { join } from "node:path";
import { absentCommit } from "../../names/names.ts";
import type { Box } from "../../system/box.ts";
import { gitCommand, type GitContext } from "../../system/git.ts";
import type { Command } from "../../system/system.ts";

/** How a submodule is fetched, whoever asks for it. */
export interface Fetching {
  /** The hosts, with their ports where those are not https's own. */
  hosts: readonly string[];
  caFile: string;
  proxy: string;
  box: Box;
  /** Milliseconds for all of a commit's submodules together. */
  deadline: number;
  /** Bytes that they may be together on their way. */
  most: number;
}

/** A repository of its own for one commit: nothing that was fetched before is in its way. */
export function makeRepository(git: GitContext): Command {
  return gitCommand(git, ["init", "--bare", "--quiet", "--template="]);
}

/** Commits of a branch or a tag that are looked through where a server gives no commit by its id. */
const deepest = 200;

const noHooks = "core.hooksPath=/dev/null";

/** The commit alone; or, where the server gives only what its branches and tags name, those. */
export function fetchCommit(
  git: GitContext,
  { url, commit }: { url: string; commit: string },
  { by, ...fetching }: Pick<Fetching, "box" | "caFile" | "proxy"> & { by: "id" | "names" },
): Command {
  const what = {
    id: ["--depth=1", "--no-tags", "--", url, `${commit}:refs/heads/wanted`],
    names: [
      ...[`--depth=${deepest}`, "--no-tags", "--", url],
      ...["refs/heads/*:refs/heads/*", "refs/tags/*:refs/tags/*"],
    ],
  };
  const settings = [
    ...[noHooks, "http.followRedirects=false", "http.lowSpeedLimit=1000", "http.lowSpeedTime=30"],
    ...["protocol.version=2", "fetch.negotiationAlgorithm=noop", "credential.helper="],
  ];
  const options = ["--quiet", "--no-write-fetch-head", "--no-recurse-submodules"];
  return gitCommand(
    git,
    [...settings.flatMap((setting) => ["-c", setting]), "fetch", ...options, ...what[by]],
    { env: environmentOf(fetching), box: { ...fetching.box, writable: [git.repository] } },
  );
}

/** A proxy's address may hold a password, which no argument does. */
function environmentOf({
  caFile,
  proxy,
}: Pick<Fetching, "caFile" | "proxy">): Record<string, string> {
  return {
    GIT_ALLOW_PROTOCOL: "https",
    ...(caFile === "" ? {} : { GIT_SSL_CAINFO: caFile }),
    ...(proxy === "" ? {} : { https_proxy: proxy }),
  };
}

/** Where trees are put into each other: nothing of the app's repository is changed. */
export interface Bench {
  /** New objects come into it; which others it finds, its `info/alternates` says. */
  objects: string;
  /** git's own, for the index. */
  folder: string;
}

export function readTree(git: GitContext, bench: Bench, commit: string): Command {
  return onBench(git, bench, ["read-tree", commit]);
}

/** What stood for the other repository goes, and its files come. */
export function putIn(
  git: GitContext,
  bench: Bench,
  { path, commit }: { path: string; commit: string },
): Command[] {
  const input = `0 ${absentCommit}\t${path}\0`;
  return [
    onBench(git, bench, ["update-index", "-z", "--index-info"], input),
    onBench(git, bench, ["read-tree", `--prefix=${path}/`, commit]),
  ];
}

export function writeTree(git: GitContext, bench: Bench): Command {
  return onBench(git, bench, ["write-tree"]);
}

function onBench(git: GitContext, bench: Bench, words: string[], input?: string): Command {
  return gitCommand(git, ["-c", noHooks, `--work-tree=${bench.folder}`, ...words], {
    ...{ cwd: bench.folder, ...(input === undefined ? {} : { input }) },
    env: {
      GIT_INDEX_FILE: join(bench.folder, "index"),
      GIT_OBJECT_DIRECTORY: bench.objects,
      GIT_ALTERNATE_OBJECT_DIRECTORIES: [
        join(git.repository, "objects"),
        ...(git.borrows ?? []),
      ].join(":"),
    },
  });
}
