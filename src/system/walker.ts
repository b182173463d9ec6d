import { fileURLToPath } from "node:url";
import { isPresent } from "./files.ts";
import type { Command, System, Identity } from "./system.ts";

const walkerProgram = fileURLToPath(new URL("walker/__main__.py", import.meta.url));

type Owner = Pick<Identity, "uid" | "gid">;

/** What the modes in a tree become: bits that go, that come, and those of the owner's that everybody gets. */
interface Modes {
  clear?: number;
  add?: number;
  share?: number;
  /** Of the tree's own folder, whatever it was; the last to be set. */
  top?: number;
}

/** Changes owners and modes. Without an owner, only modes. */
interface Giving extends Modes {
  do: "give";
  path: string;
  owner?: Owner | undefined;
  /**
   * Only what belongs to this user, or to this group, changes hands. A file that has a second name does so only
   * where this is said: without, it may be somebody else's as well.
   */
  of?: number | undefined;
  group?: number | undefined;
  /** What is not of that user is removed; or stays where it has this owner and these modes already. */
  others?: "remove" | "sealed";
  /** Files stay as they are. */
  only?: "folders";
  /** The tree is in use: its folders stay open for the group that gets them. */
  live?: true;
}

/** Copies a tree that nobody else can change to a path where nothing is; times are kept. */
interface Copying extends Modes {
  do: "copy";
  path: string;
  to: string;
  owner?: Owner | undefined;
  /** Files are the same ones, under a second name; owner and modes are the folders' alone. */
  by?: "links";
  /** Scripts that name an interpreter in the tree name the copy's. */
  scripts?: true;
}

/** Removes a file, a link, or a folder with all that is in it; or finds nothing. */
interface Removal {
  do: "remove";
  path: string;
}

/** Removes what belongs to this user below a folder of everybody's. */
interface Sweeping {
  do: "sweep";
  path: string;
  of: number;
}

/** Prints how many bytes of the disk a tree takes, its folders too. */
interface Measuring {
  do: "measure";
  path: string;
  /** Not what the tree's own folder takes. */
  only?: "inside";
  /** The tree is in use: what goes or is swapped before it is counted is left out. */
  live?: true;
}

export type Errand = Giving | Copying | Removal | Sweeping | Measuring;

/**
 * Goes through trees that another user owns, owned, or may hold open (docs/decisions/0018). The folder that holds
 * what is changed must be root's, or of who runs the walker: it refuses another one. Errands are done in their order.
 */
export function walk(errands: Errand[], as?: Identity): Command {
  return {
    file: "/usr/bin/python3",
    args: ["-I", "-S", walkerProgram],
    input: errands.map(wordsOf).join(""),
    as,
  };
}

/** Removes these, files or trees; where none is there, it costs nothing. */
export async function removeTrees(system: System, ...paths: string[]): Promise<void> {
  const there: Removal[] = [];
  for (const path of paths) if (await isPresent(path)) there.push({ do: "remove", path });
  if (there.length > 0) await system.run(walk(there));
}

function wordsOf({ do: what, ...values }: Errand): string {
  const words = Object.entries(values)
    .filter(([, value]) => value !== undefined)
    .map(([name, value]) => `${name}=${textOf(name, value as Errand[keyof Errand])}\0`);
  return `${what}\0${words.join("")}\0`;
}

const modes = new Set(["clear", "add", "share", "top"]);

function textOf(name: string, value: string | number | true | Owner): string {
  if (typeof value === "object") return `${value.uid}:${value.gid}`;
  return typeof value === "number" && modes.has(name) ? value.toString(8) : String(value);
}
