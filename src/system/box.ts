import { fileURLToPath } from "node:url";

/** What is started: data, never a shell string. User text is always one element of `args`. */
export interface Program {
  file: string;
  args: string[];
}

/** Of a system user. */
interface Numbers {
  uid: number;
  gid: number;
}

/** What a command may use that runs code of strangers. */
export interface Box {
  /** Processes and threads of all that runs as the user. */
  processes: number;
  /** Bytes of address space of each process: the last fence, which counts what is only reserved as well. */
  memory: number;
  /** Bytes of each file. */
  fileSize: number;
  openFiles: number;
  /**
   * Outside these folders nothing can be written, with root, but in those for temporary files. One may lie in
   * another that comes before it: nothing is linked or renamed from the one to the other.
   */
  writable?: readonly string[] | undefined;
  /** The control groups that it belongs to, by their cgroup.procs. */
  groups?: readonly string[] | undefined;
}

/** The same box, for a command that may write in these folders as well. */
export function writingIn(box: Box, ...folders: string[]): Box {
  return { ...box, writable: [...(box.writable ?? []), ...folders] };
}

/** What this process can do for a box. */
interface Means {
  isRoot: boolean;
  /** Whether the system lets it make namespaces; in a container it often does not. */
  namespaces: boolean;
}

/**
 * Runs a command with limits and, with root, in namespaces of its own. Whatever it leaves running, in whichever
 * session, is dead when it ends; it writes in its own folders alone, and has a /tmp, a /var/tmp, a /dev/shm and an
 * IPC of its own, so that nothing of it is there for the next command of the same user. The first process of the namespace is root's, so that nothing in the
 * box can outlive it or take the signal from it that ends it with its parent (pid_namespaces(7), and prctl(2):
 * a change of the user forgets that signal).
 */
export function boxed({ file, args }: Program, box: Box, as: Numbers, means: Means): Program {
  const words = [
    ...prlimit(box, means),
    ...furnished(box, means),
    ...["setpriv", "--pdeathsig=KILL"],
    ...(means.isRoot ? privilegeArguments(as) : ["--no-new-privs"]),
    ...["--", file, ...args],
  ];
  return { file: "setpriv", args: ["--pdeathsig=KILL", "--", ...words] };
}

const boxProgram = fileURLToPath(new URL("box.pl", import.meta.url));
/** Bytes that each of its own folders for temporary files may hold; they are the memory of whoever fills them. */
const temporary = 1024 * 1024 * 1024;

/** Its view of the file system is made by root, after the namespaces and before the user is taken on. */
function furnished({ writable = [], groups = [] }: Box, { isRoot, namespaces }: Means): string[] {
  if (!isRoot) return [];
  const joined = groups.map((file) => `--group=${file}`);
  const view = [`--temporary=${temporary}`, ...writable.map((folder) => `--writable=${folder}`)];
  const program = ["/usr/bin/perl", boxProgram];
  if (namespaces) return [...ownNamespaces, ...program, ...view, ...joined, "--", ...firstProcess];
  return groups.length > 0 ? [...program, ...joined, "--"] : [];
}

const ownNamespaces = ["unshare", "--pid", "--fork", "--kill-child", "--mount-proc", "--ipc", "--"];
// With no time set it only starts the command, and ends as that ends: 128 and the signal, where it was killed.
const firstProcess = ["timeout", "--foreground", "0"];

/** Ends well where namespaces can be made, with a view of the file system of their own. */
export function tryNamespaces(): Program {
  const [, ...own] = ownNamespaces;
  const args = [...own, "/usr/bin/perl", boxProgram, `--temporary=${temporary}`, "--", "true"];
  return { file: "unshare", args };
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
export function privilegeArguments({ uid, gid }: Numbers): string[] {
  return [
    `--reuid=${uid}`,
    `--regid=${gid}`,
    "--clear-groups",
    "--no-new-privs",
    "--inh-caps=-all",
    "--bounding-set=-all",
  ];
}
