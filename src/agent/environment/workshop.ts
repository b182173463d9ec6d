import { chmod, lstat, mkdir, readdir } from "node:fs/promises";
import { join } from "node:path";
import type { InstancePaths } from "../../names/instance.ts";
import { giveFolder, isPresent } from "../../system/files.ts";
import type { Limits } from "../../system/limits.ts";
import { CommandFailed, type System, type Identity } from "../../system/system.ts";
import { endProcesses } from "../../system/system-users.ts";
import { removeTrees, walk } from "../../system/walker.ts";

/** Who builds environments: a system user that runs nothing else. Without root, the one that everything runs as. */
export interface Builder {
  user: Identity;
  /** The control groups of its builds, as a box takes them. */
  groups: readonly string[];
  /** Nothing of it runs, and nothing that it could write in is open. */
  isClean: boolean;
}

export interface WorkshopContext {
  system: System;
  builder: Builder;
}

const root = { uid: 0, gid: 0 };
const caches = ["pip", "uv"];

/** One folder for each builder, in those of an app and in those of its previews: no cache is another's. */
export function workshopOf(
  { environments }: Pick<InstancePaths, "environments">,
  user: Identity,
): string {
  return join(workshopsOf(environments), String(user.uid));
}

export function scratchOf(workshop: string, hash: string): string {
  return join(workshop, hash);
}

/** All of them, with the caches of installers. */
export function workshopsOf(environments: string): string {
  return join(environments, ".cache");
}

/**
 * Makes the builder's folder where it is missing, closed to everybody but root, with a scratch folder of this
 * build's own in it. What is in it belongs to the builder's number, which serves other apps in turn: all that keeps
 * them out is that the folder itself is closed while they build, and that nobody is left who has it open.
 */
export async function layOutWorkshop(
  { system, builder }: WorkshopContext,
  environments: string,
  hash: string,
): Promise<string> {
  const workshop = workshopOf({ environments }, builder.user);
  await provideWorkshops(system, environments);
  await mkdir(workshop, { recursive: true, mode: 0o700 });
  if (system.isRoot) await giveFolder(workshop, root, 0o700);
  const scratch = scratchOf(workshop, hash);
  await removeTrees(system, scratch);
  await mkdir(scratch, { mode: 0o700 });
  return scratch;
}

/**
 * Makes a folder of root's own for what is laid out for this builder before its build begins: nothing of the builder
 * can enter it. What a crash leaves of it is reclaimed with the builder.
 */
export async function layOutAside(
  { system, builder }: WorkshopContext,
  environments: string,
  name: string,
): Promise<string> {
  await provideWorkshops(system, environments);
  const aside = `${workshopOf({ environments }, builder.user)}${besides}${name}`;
  await mkdir(aside, { mode: 0o700 });
  return aside;
}

const besides = ".";

async function provideWorkshops(system: System, environments: string): Promise<void> {
  await removeForeign(system, environments);
  await mkdir(workshopsOf(environments), { recursive: true });
  if (!system.isRoot) return;
  // Builders pass through both, to what is theirs in there, and cannot look around.
  await chmod(environments, 0o751);
  await chmod(workshopsOf(environments), 0o711);
}

/** From now on the builder may enter. Nothing of it has run since the folder was closed. */
export async function openToBuilder(
  { system, builder }: WorkshopContext,
  path: string,
): Promise<void> {
  if (system.isRoot) await giveFolder(path, builder.user, 0o700);
}

/**
 * Removes a builder's folder, which is closed, where the installers' caches and whatever else is in it hold more bytes
 * than this.
 */
export async function boundCaches(
  { system, builder }: WorkshopContext,
  environments: string,
  most: number,
): Promise<void> {
  const workshop = workshopOf({ environments }, builder.user);
  if (!(await isPresent(workshop))) return;
  if ((await bytesIn(system, workshop)) > most) await removeTrees(system, workshop);
}

/** Milliseconds and memory for the counting of what a build has left, which may be any number of files. */
const deadline = 30_000;
const limits: Limits = { memory: 512 * 1024 * 1024, seconds: deadline / 1000 };

/** More than anybody may have, where they cannot be counted soon. */
async function bytesIn(system: System, path: string): Promise<number> {
  try {
    return Number(await system.run({ ...walk([{ do: "measure", path }]), deadline, limits }));
  } catch (error) {
    if (error instanceof CommandFailed) return Infinity;
    throw error;
  }
}

/** The build is over: nothing of it runs any more, and whatever it could write in is closed to it, its scratch too. */
export async function takeBack(
  context: WorkshopContext,
  environment: string,
  scratch: string,
): Promise<void> {
  const { system, builder } = context;
  if (system.isRoot) {
    await endProcesses(system, builder.user);
    for (const folder of [environment, join(scratch, "..")])
      if (await isPresent(folder)) await giveFolder(folder, root, 0o700);
  }
  builder.isClean = true;
}

/**
 * The same for a builder of whom it is not known what it has left: builds may have been cut off with the agent, or
 * could not be taken back. `folders`: all in which there are environments.
 */
export async function reclaim(
  { system, builder }: WorkshopContext,
  folders: string[],
): Promise<void> {
  const { user } = builder;
  await endProcesses(system, user);
  for (const environments of folders) {
    await removeForeign(system, environments);
    await closeHalfBuilt(environments, user);
    await removeTrees(system, ...(await asidesOf(environments, user)));
    const workshop = workshopOf({ environments }, user);
    if (!(await isPresent(workshop))) continue;
    await giveFolder(workshop, root, 0o700);
    const left = (await readdir(workshop)).filter((name) => !caches.includes(name));
    await removeTrees(system, ...left.map((name) => join(workshop, name)));
  }
  builder.isClean = true;
}

async function asidesOf(environments: string, { uid }: Identity): Promise<string[]> {
  const workshops = workshopsOf(environments);
  const names = await readdir(workshops).catch(() => []);
  return names
    .filter((name) => name.startsWith(`${uid}${besides}`))
    .map((name) => join(workshops, name));
}

/** From when installers ran as the app's user, who may have anything in it. */
async function removeForeign(system: System, environments: string): Promise<void> {
  const found = await lstat(workshopsOf(environments)).catch(() => undefined);
  if (system.isRoot && found && found.uid !== root.uid)
    await removeTrees(system, workshopsOf(environments));
}

async function closeHalfBuilt(environments: string, user: Identity): Promise<void> {
  for (const name of await readdir(environments).catch(() => [])) {
    const path = join(environments, name);
    const found = await lstat(path).catch(() => undefined);
    if (found?.isDirectory() && found.uid === user.uid) await giveFolder(path, root, 0o700);
  }
}
