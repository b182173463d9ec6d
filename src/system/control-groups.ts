import { createHash } from "node:crypto";
import { mkdir, readdir, readFile, rmdir, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { hasCode } from "../errors.ts";
import { waitFor } from "./clock.ts";

/** What all processes of a group may use together. */
export interface GroupLimits {
  /** Bytes of resident memory, as the kernel counts them for the group. */
  memory?: number | undefined;
  processes?: number | undefined;
}

/** Who is in it: `vassals/demo/demo.next-12`, `builds/reeve-build-1`, `git/4711`. A name has passed a grammar before. */
export type GroupName = `${"vassals" | "builds" | "git"}/${string}`;

/** One tree of control groups: the whole of v2, or what one controller of v1 has for itself (cgroups(7)). */
interface Tree {
  version: 1 | 2;
  /** Our own group in it, as a folder: all others are below it. */
  folder: string;
  /** `memory` and `pids`, as far as they are there: v2 gives them only to whom the group above lets. */
  controllers: ReadonlySet<string>;
}

/** Milliseconds for all that was killed to be gone; a large process takes its time to die. */
const dying = 10_000;
const wanted = ["memory", "pids"];

/**
 * The control groups below one of our own: what belongs together is limited together and ended together, whatever
 * it forked and into whichever session that went. To end a group the tree of v2 is enough, also where it is mounted
 * beside v1 and without a controller; limits need a controller, of v2 or of v1.
 */
export class ControlGroups {
  readonly #trees: readonly Tree[];
  /** By which this process would join the group that it is in already. */
  readonly #ownDoor: string | undefined;

  /** Without a tree there are none: the system has none, or refuses us ours. */
  constructor(trees: readonly Tree[] = [], ownDoor?: string) {
    this.#trees = trees;
    this.#ownDoor = ownDoor;
  }

  /** Those below `own`, which is made in the groups that this process runs in. */
  static async below(own: string): Promise<ControlGroups> {
    const groups = await groupsOf("self");
    for (const group of groups) await handOnControllers(group);
    return open(groups.map((group) => ({ ...group, folder: join(group.folder, own) })));
  }

  /**
   * Those of the unit of systemd's that this process belongs to (`Delegate=` in systemd.resource-control(5)). It goes
   * into one of them itself, of this name: a group that hands on controllers may hold no process.
   */
  static async ofUnit(name: string): Promise<ControlGroups> {
    const groups = (await groupsOf("self")).filter(({ folder }) => folder.endsWith(".service"));
    for (const { folder } of groups) {
      await mkdir(join(folder, name), { recursive: true });
      for (const pid of await processesIn(folder))
        await writeFile(join(folder, name, "cgroup.procs"), String(pid));
    }
    return open(groups);
  }

  /** Those beside a process that has a group of its own, of this name, in each tree. */
  static async beside(pid: number, name: string): Promise<ControlGroups> {
    const groups = (await groupsOf(pid)).filter(({ folder }) => folder.endsWith(`/${name}`));
    return open(groups.map((group) => ({ ...group, folder: dirname(group.folder) })));
  }

  /** What the system lets us do with a group. */
  get means(): { kill: boolean; memory: boolean; processes: boolean } {
    return {
      kill: this.#v2 !== undefined,
      memory: this.#trees.some(({ controllers }) => controllers.has("memory")),
      processes: this.#trees.some(({ controllers }) => controllers.has("pids")),
    };
  }

  /** Makes the group where it is not there, and sets its limits. Where there is no controller, it has none. */
  async provide(name: GroupName, limits: GroupLimits = {}): Promise<void> {
    const provideIn = async (tree: Tree): Promise<void> => {
      await provideFolder(tree, name);
      for (const [file, value] of limitsOf(tree, limits))
        await writeFile(join(tree.folder, name, file), value);
    };
    await Promise.all(this.#trees.map(provideIn));
  }

  /**
   * Says that a process is about to be put into a group. The kernel keeps every process from forking meanwhile, which
   * takes it a grace period of RCU to begin (5 ms and more, measured); a second one within the next 10 ms goes through
   * at once. Said in time, by a move of this process to where it is, that passes beside other work.
   */
  announce(): void {
    // Where it cannot be said, the next one waits.
    if (this.#ownDoor !== undefined) writeFile(this.#ownDoor, "0").catch(() => undefined);
  }

  /** From now on the process belongs to the group, and what it starts as well; what it has started does not. */
  async add(name: GroupName, pid: number): Promise<void> {
    // Beside each other: each may wait some milliseconds for the kernel, which then lets all of them through.
    await Promise.all(this.doorsOf(name).map((door) => writeFile(door, String(pid))));
  }

  /** The files by which a process joins the group itself, with all that it starts from then on: it writes `0`. */
  doorsOf(name: GroupName): string[] {
    return this.#trees.map(({ folder }) => join(folder, name, "cgroup.procs"));
  }

  /** Ends all that is in the group and in those below it, and removes them. Nothing happens where there is none. */
  async end(name: GroupName): Promise<void> {
    const { folder } = this.#v2 ?? { folder: undefined };
    if (folder !== undefined) {
      const isGone = await waitFor(() => killAll(join(folder, name)), { within: dying, every: 5 });
      if (!isGone) throw new Error(`what runs in the control group ${name} does not end`);
    }
    for (const tree of this.#trees) await removeGroup(join(tree.folder, name));
  }

  /** Ends everything, and removes the group of our own too. */
  async dissolve(): Promise<void> {
    for (const name of await this.list()) await this.end(name as GroupName);
    for (const { folder } of this.#trees) await removeGroup(folder);
  }

  /** Whether a living process is in the group or below it. */
  async isPopulated(name: GroupName): Promise<boolean> {
    return this.#v2 !== undefined && isPopulated(join(this.#v2.folder, name));
  }

  /** The names of the groups that are right below this one, or below our own. */
  async list(name = ""): Promise<string[]> {
    return this.#v2 === undefined ? [] : foldersIn(join(this.#v2.folder, name));
  }

  /** What the kernel changes when a group becomes empty (cgroup.events of v2), for who watches it by inotify. */
  eventsOf(name: GroupName): string | undefined {
    return this.#v2 && join(this.#v2.folder, name, "cgroup.events");
  }

  get #v2(): Tree | undefined {
    return this.#trees.find(({ version }) => version === 2);
  }
}

/** What the groups of the server in this folder are below, where it runs under no unit of systemd's. */
export function ownGroup(home: string): string {
  return `reeve-${createHash("sha256").update(home).digest("hex").slice(0, 12)}`;
}

interface Group {
  version: 1 | 2;
  folder: string;
  /** Of v1: the one that this tree is for. */
  controller: string | undefined;
}

/** The groups that a process is in, of those trees that are of use here. */
async function groupsOf(pid: number | "self"): Promise<Group[]> {
  const [mounts, groups] = await Promise.all([
    readFile("/proc/self/mounts", "utf8"),
    readFile(`/proc/${pid}/cgroup`, "utf8").catch(() => ""),
  ]);
  return parseGroups(mounts, groups);
}

/** `groups`: lines `ID:CONTROLLERS:PATH`, of which v2's has no controller (cgroups(7), /proc/PID/cgroup). */
export function parseGroups(mounts: string, groups: string): Group[] {
  const paths = new Map(
    groups
      .split("\n")
      .filter(Boolean)
      .map((line) => line.split(":"))
      .flatMap(([, controllers = "", ...path]) =>
        controllers.split(",").map((controller) => [controller, path.join(":")] as const),
      ),
  );
  return mounts.split("\n").flatMap((line): Group[] => {
    const [, mountPoint = "", type, options = ""] = line.split(" ");
    const controller =
      type === "cgroup2"
        ? ""
        : wanted.find((one) => type === "cgroup" && options.split(",").includes(one));
    const path = controller === undefined ? undefined : paths.get(controller);
    if (path === undefined) return [];
    return [
      {
        version: type === "cgroup2" ? 2 : 1,
        folder: join(mountPoint, path),
        controller: controller === "" ? undefined : controller,
      },
    ];
  });
}

/** Makes our own group in each tree, and leaves out the trees in which the system refuses it. */
async function open(groups: Group[]): Promise<ControlGroups> {
  const trees: Tree[] = [];
  for (const { version, folder, controller } of groups) {
    try {
      await mkdir(folder, { recursive: true });
      await handOnControllers({ version, folder });
      const controllers = controller === undefined ? await handedOn(folder) : [controller];
      trees.push({ version, folder, controllers: new Set(controllers) });
    } catch {
      // Read-only, another user's, or hidden by a namespace: there is none for us.
    }
  }
  const [own] = trees.length > 0 ? await groupsOf("self") : [];
  return new ControlGroups(trees, own && join(own.folder, "cgroup.procs"));
}

/** v2: the groups below this one get its controllers, unless it holds processes itself ("no internal processes"). */
async function handOnControllers({
  version,
  folder,
}: Pick<Tree, "version" | "folder">): Promise<void> {
  if (version === 1) return;
  for (const controller of wanted)
    await writeFile(join(folder, "cgroup.subtree_control"), `+${controller}`).catch(
      () => undefined,
    );
}

async function handedOn(folder: string): Promise<string[]> {
  const text = await readFile(join(folder, "cgroup.subtree_control"), "utf8");
  return text.trim().split(" ").filter(Boolean);
}

async function provideFolder(
  { version, folder, controllers }: Tree,
  name: GroupName,
): Promise<void> {
  await mkdir(join(folder, name), { recursive: true });
  if (version === 1 || controllers.size === 0) return;
  const parts = name.split("/");
  for (const depth of parts.keys())
    await handOnControllers({ version, folder: join(folder, ...parts.slice(0, depth)) });
}

/** The files of a group that hold its limits, which both versions call by different names. */
function limitsOf(
  { version, controllers }: Tree,
  { memory, processes }: GroupLimits,
): [file: string, value: string][] {
  const memoryFile = version === 2 ? "memory.max" : "memory.limit_in_bytes";
  return [
    ...(memory !== undefined && controllers.has("memory")
      ? [[memoryFile, String(memory)] satisfies [string, string]]
      : []),
    ...(processes !== undefined && controllers.has("pids")
      ? [["pids.max", String(processes)] satisfies [string, string]]
      : []),
  ];
}

/** Resolves to whether nothing is left in it. Asked again and again: kernels before 5.14 have no cgroup.kill. */
async function killAll(folder: string): Promise<boolean> {
  if (!(await isPopulated(folder))) return true;
  await writeFile(join(folder, "cgroup.kill"), "1").catch(() => killEach(folder));
  return false;
}

async function processesIn(folder: string): Promise<number[]> {
  const procs = await readFile(join(folder, "cgroup.procs"), "utf8").catch(() => "");
  // Those of a namespace that is not below ours have no number here.
  return procs
    .split("\n")
    .map(Number)
    .filter((pid) => pid > 0);
}

async function killEach(folder: string): Promise<void> {
  for (const pid of await processesIn(folder)) {
    try {
      process.kill(pid, "SIGKILL");
    } catch {
      // It ended between the look and the kill.
    }
  }
  for (const name of await foldersIn(folder)) await killEach(join(folder, name));
}

async function isPopulated(folder: string): Promise<boolean> {
  const events = await readFile(join(folder, "cgroup.events"), "utf8").catch(() => "");
  return events.includes("populated 1");
}

/** The innermost first. One that a process is just joining stays, and is whoever's who put it there. */
async function removeGroup(folder: string): Promise<void> {
  for (const name of await foldersIn(folder)) await removeGroup(join(folder, name));
  const remove = async (): Promise<boolean> => {
    try {
      await rmdir(folder);
      return true;
    } catch (error) {
      // The kernel is still clearing away what has just ended.
      return !hasCode(error, "EBUSY");
    }
  };
  await waitFor(remove, { within: 1000, every: 5 });
}

async function foldersIn(folder: string): Promise<string[]> {
  const entries = await readdir(folder, { withFileTypes: true }).catch(() => []);
  return entries.filter((entry) => entry.isDirectory()).map(({ name }) => name);
}
