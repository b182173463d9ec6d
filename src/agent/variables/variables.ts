import {
  chmod,
  chown,
  mkdir,
  readFile,
  readdir,
  rename,
  rmdir,
  unlink,
  writeFile,
} from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { reservedVariable, variableNameGrammar } from "../../names/names.ts";
import { nameOfUnderstudy, parseVassalName } from "../../names/vassal.ts";
import { UserError } from "../../errors.ts";
import { isPresent, makeAnew } from "../../system/files.ts";
import type { System, Identity } from "../../system/system.ts";
import { removeTrees } from "../../system/walker.ts";

/**
 * An app's variables are a folder of files, one for each of them, which uWSGI's `envdir` takes to the
 * letter: no value of theirs is ever read as configuration. What reeve tells the app lies there too, so that
 * a new commit changes no ini.
 */
export type Variables = ReadonlyMap<string, string>;

export interface VariablesChange {
  set: Record<string, string>;
  unset: string[];
}

const longestValue = 64 * 1024;

/** The change as it is, or `VARIABLE_INVALID`. */
export function expectVariablesChange(change: VariablesChange): VariablesChange {
  for (const name of [...Object.keys(change.set), ...change.unset]) {
    if (!variableNameGrammar.test(name)) {
      throw new UserError(
        "VARIABLE_INVALID",
        `${JSON.stringify(name.slice(0, 60))} cannot be the name of a variable`,
      );
    }
    if (reservedVariable.test(name)) {
      throw new UserError(
        "VARIABLE_INVALID",
        `${name} is not the app's to set: reeve or uWSGI act on it`,
      );
    }
  }
  for (const [name, value] of Object.entries(change.set)) {
    if (value.includes("\0") || value.length > longestValue) {
      throw new UserError(
        "VARIABLE_INVALID",
        `the value of ${name} holds a zero byte or is longer than 64 KiB`,
      );
    }
    if (value === "" || /\s$/.test(value)) {
      throw new UserError(
        "VARIABLE_INVALID",
        `the value of ${name} is empty or ends in white space, which uWSGI's envdir drops`,
        {
          hint: `Unset it instead, or give it a value that ends in something: reeve vars APP unset ${name}`,
        },
      );
    }
  }
  return change;
}

export async function readVariables(folder: string): Promise<Variables> {
  if (!(await isPresent(folder))) return new Map();
  return readFiles(folder, (name) => !isReeves(name));
}

async function readFiles(folder: string, isWanted: (name: string) => boolean): Promise<Variables> {
  const names = (await readdir(folder))
    .filter((name) => variableNameGrammar.test(name) && isWanted(name))
    .sort();
  const entries = await Promise.all(
    names.map(async (name) => [name, await readFile(join(folder, name), "utf8")] as const),
  );
  return new Map(entries);
}

export function changedVariables(variables: Variables, change: VariablesChange): Variables {
  const changed = new Map(variables);
  for (const [name, value] of Object.entries(change.set)) changed.set(name, value);
  for (const name of change.unset) changed.delete(name);
  return changed;
}

/** Writes the whole folder anew; readable by root and the app, by nobody else. */
export async function writeVariables(
  system: System,
  folder: string,
  variables: Variables,
  app: Identity,
): Promise<void> {
  await makeAnew(
    () => mkdir(folder),
    () => removeVariables(system, folder),
  );
  const write = async ([name, value]: [string, string]): Promise<void> => {
    const path = join(folder, name);
    await writeFile(path, value, { mode: 0o640 });
    await chmod(path, 0o640);
    if (system.isRoot) await chown(path, 0, app.gid);
  };
  await Promise.all([...variables].map(write));
  await chmod(folder, 0o750);
  if (system.isRoot) await chown(folder, 0, app.gid);
}

/** What reeve tells the app of its release; in the same folder, and nobody's to set. */
export interface ReleaseVariables {
  REEVE_APP: string;
  REEVE_BRANCH: string;
  REEVE_COMMIT: string;
  REEVE_URL: string;
}

function isReeves(name: string): boolean {
  return name.startsWith("REEVE_");
}

/** The folder of one deploy's understudy; it becomes the app's when the deploy is live. */
export function proposedVariables(folder: string, deploy: number): string {
  return nameOfUnderstudy(folder, deploy);
}

/** The deploys whose proposed variables stand beside an instance's own. */
export async function findProposedVariables(folder: string): Promise<number[]> {
  const names = await readdir(dirname(folder)).catch(() => []);
  return names.flatMap((name) => {
    const parsed = parseVassalName(name);
    const isProposed = parsed?.stem === basename(folder) && parsed.role === "understudy";
    return isProposed ? [parsed.deploy] : [];
  });
}

/**
 * Makes a deploy's variables the app's; its understudy keeps its own copy, with which it may start again.
 * A stop between the two renames is made good by doing it again.
 */
export async function adoptVariables(
  { system, app }: { system: System; app: Identity },
  folder: string,
  deploy: number,
): Promise<void> {
  const proposed = proposedVariables(folder, deploy);
  if (!(await isPresent(proposed))) return;
  const after = await readFiles(proposed, () => true);
  const [coming, former] = [comingVariables(folder), formerVariables(folder)];
  await writeVariables(system, coming, after, app);
  if (await isPresent(folder)) {
    await removeVariables(system, former);
    await rename(folder, former);
  }
  await rename(coming, folder);
}

/** Undoes an adoption, as long as the former variables are there. */
export async function bringBackVariables(system: System, folder: string): Promise<void> {
  const former = formerVariables(folder);
  if (!(await isPresent(former))) return;
  const adopted = comingVariables(folder);
  await removeVariables(system, adopted);
  // A stop in the midst of the removal must not leave half of them as the app's.
  if (await isPresent(folder)) await rename(folder, adopted);
  await rename(former, folder);
  await removeVariables(system, adopted);
}

/** The adopted variables are there to stay. */
export async function forgetFormerVariables(system: System, folder: string): Promise<void> {
  await removeVariables(system, formerVariables(folder));
}

function formerVariables(folder: string): string {
  return `${folder}.former`;
}

/** Nobody's: what is about to be the app's, or no longer is. */
function comingVariables(folder: string): string {
  return `${folder}.coming`;
}

/** After a stop in the midst of `adoptVariables` that was not wanted in the end: the former ones are back. */
export async function mendVariables(system: System, folder: string): Promise<void> {
  await removeVariables(system, comingVariables(folder));
  if (await isPresent(folder)) await forgetFormerVariables(system, folder);
  else await bringBackVariables(system, folder);
}

export async function dropProposedVariables(
  system: System,
  folder: string,
  deploy: number,
): Promise<void> {
  await removeVariables(system, proposedVariables(folder, deploy));
}

/**
 * Root's own folder of files: no walker has to start for it, which a push would wait for. What somebody has put there
 * besides is the walker's to remove.
 */
async function removeVariables(system: System, folder: string): Promise<void> {
  try {
    await Promise.all((await readdir(folder)).map((name) => unlink(join(folder, name))));
    await rmdir(folder);
  } catch {
    await removeTrees(system, folder);
  }
}
