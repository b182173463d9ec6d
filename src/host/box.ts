import type { Command, Identity } from "./host.ts";

/** What a command may use that runs code of strangers. */
export interface Box {
  /** Processes and threads, of all that runs as the user. */
  processes: number;
  /** Bytes of address space of each process. */
  memory: number;
  /** Bytes of each file. */
  fileSize: number;
  openFiles: number;
}

/** What this process can do for a box. */
interface Means {
  isRoot: boolean;
  /** Whether the system lets it make namespaces; in a container it often does not. */
  namespaces: boolean;
}

/**
 * Runs a command with limits and, with root, in a PID namespace of its own: whatever it leaves behind, in
 * whichever session, is dead when it ends. The first process of the namespace is root's, so that nothing in the
 * box can outlive it or take the signal from it that ends it with its parent (pid_namespaces(7), and prctl(2):
 * a change of the user forgets that signal).
 */
export function boxed(
  { file, args }: Pick<Command, "file" | "args">,
  box: Box,
  as: Identity,
  means: Means,
): { file: string; args: string[] } {
  const words = [
    ...prlimit(box, means),
    ...(means.isRoot && means.namespaces ? [...ownNamespaces, ...firstProcess] : []),
    ...["setpriv", "--pdeathsig=KILL"],
    ...(means.isRoot ? privilegeArguments(as) : ["--no-new-privs"]),
    ...["--", file, ...args],
  ];
  return { file: "setpriv", args: ["--pdeathsig=KILL", "--", ...words] };
}

const ownNamespaces = ["unshare", "--pid", "--fork", "--kill-child", "--mount-proc", "--ipc", "--"];
// With no time set it only starts the command, and ends as that ends: 128 and the signal, where it was killed.
const firstProcess = ["timeout", "--foreground", "0"];

/** Ends well where namespaces can be made. */
export function tryNamespaces(): Command {
  const [file = "", ...args] = ownNamespaces;
  return { file, args: [...args, "true"], deadline: 10_000 };
}

/** Without root the number of processes would be that of all that somebody runs, their desktop included. */
function prlimit({ processes, memory, fileSize, openFiles }: Box, { isRoot }: Means): string[] {
  return [
    "prlimit",
    ...(isRoot ? [`--nproc=${processes}`] : []),
    `--as=${memory}`,
    `--fsize=${fileSize}`,
    `--nofile=${openFiles}`,
    "--core=0",
    "--",
  ];
}

/** As setpriv(1) takes them. */
export function privilegeArguments(identity: Identity): string[] {
  return [
    `--reuid=${identity.uid}`,
    `--regid=${identity.gid}`,
    "--clear-groups",
    "--no-new-privs",
    "--inh-caps=-all",
    "--bounding-set=-all",
  ];
}
