import { readlink } from "node:fs/promises";
import { basename, relative } from "node:path";
import { environmentPath, type Instance } from "../../names/instance.ts";
import type { AppOptions } from "../../config/app-options.ts";
import { sleep } from "../../system/clock.ts";
import { isPresent, symlinkAtomically, writeAtomically } from "../../system/files.ts";
import type { Deploy } from "../store/deploys.ts";
import { writeOnDemand } from "../vassal/on-demand.ts";
import { findVassal } from "../vassal/emperor.ts";
import { dropHeldIni, holdVassal, steady, type Health } from "../vassal/vassal.ts";
import { pathsOf, type DeployContext } from "../world/context.ts";
import { iniOf, planIni } from "../instance/inis.ts";
import {
  boot,
  expectServing,
  permanentOf,
  prove,
  settledVassal,
  othersThan,
} from "../instance/vassals.ts";

/** A deploy that is live, and what its vassal for good is made from. */
export interface Settling {
  row: Instance;
  deploy: Deploy;
  options: AppOptions;
}

/** Whether the links and the vassal for good are what this deploy wants. */
export async function isUpdated(
  context: DeployContext,
  { row, deploy, options }: Settling,
): Promise<boolean> {
  const paths = pathsOf(context, row.name);
  const own = settledVassal(context, deploy);
  if (own.role === "on demand") {
    // Before the look: one that goes meanwhile was not left behind either.
    const ending = context.background.retiring(row.name);
    const others = (await othersThan(context, own)).filter(({ ini }) => !ending.has(ini));
    const isAlone = others.every(({ role }) => role !== own.role);
    return isAlone && (await isPresent(own.ini));
  }
  const [app, env, planned] = await Promise.all([
    readlink(paths.app).catch(() => undefined),
    readlink(paths.env).catch(() => undefined),
    planIni(context, { instance: row, deploy, options }),
  ]);
  return (
    app === `releases/${deploy.newCommit}` &&
    env === relative(paths.folder, environmentPath(paths, deploy.environment ?? "")) &&
    planned.current === planned.text &&
    (await isPresent(own.ini))
  );
}

/**
 * The links, the variables and the ini that the vassal for good boots from become the deploy's, and the Emperor has it.
 * A vassal that runs is stopped before: a reload would keep variables that were taken away and children of the former
 * release.
 */
export async function startForGood(context: DeployContext, settling: Settling): Promise<void> {
  await boot(context, settledVassal(context, settling.deploy), await moveLinks(context, settling));
}

/** The same for an Emperor that is yet to start. */
export async function writeForGood(context: DeployContext, settling: Settling): Promise<void> {
  const vassal = settledVassal(context, settling.deploy);
  const text = await moveLinks(context, settling);
  if (vassal.role === "on demand") return writeOnDemand(vassal, text);
  await writeAtomically(vassal.ini, text);
  await dropHeldIni(vassal.ini);
}

/** Resolves to the ini of the vassal for good. */
async function moveLinks(
  context: DeployContext,
  { row, deploy, options }: Settling,
): Promise<string> {
  const paths = pathsOf(context, row.name);
  const [main] = context.store.requirements.of(deploy);
  await symlinkAtomically(`releases/${deploy.newCommit}`, paths.app);
  const environment = environmentPath(paths, deploy.environment ?? "");
  await symlinkAtomically(relative(paths.folder, environment), paths.env);
  // It may name an index with its password.
  await writeAtomically(paths.requirements, main?.text ?? "", { mode: 0o640 });

  const { text } = await planIni(context, { instance: row, deploy, options });
  return iniOf(context, settledVassal(context, deploy), { deploy, options, text });
}

/** Waits until the vassal that was started stands, and asks it: throws where it is not well. */
export async function proveForGood(
  context: DeployContext,
  settling: Settling,
  goOn: () => void,
): Promise<void> {
  const { row, deploy, options } = settling;
  const vassal = settledVassal(context, deploy);
  const serving = { instance: row, options };
  if (vassal.role !== "permanent") {
    await expectServing(context, vassal, serving);
    return;
  }
  await comingUp(context, settling, goOn, async (removed) => {
    const within = options.health_deadline * 1000;
    const isWanted = (): void => {
      goOn();
      removed.throwIfAborted();
    };
    if (!(await steady(context.emperor, vassal.ini, { within, goOn: isWanted })))
      throw new Error(`the vassal did not come up with ${deploy.newCommit}`);
    goOn();
    return expectServing(context, vassal, serving, removed);
  });
}

/**
 * Starts the permanent vassal of an app that cannot run beside itself, and asks it: nobody else is on the air. `cancelled`:
 * nobody wants to know any more.
 */
export async function startAndProve(
  context: DeployContext,
  settling: Settling,
  cancelled?: AbortSignal,
): Promise<Health> {
  const { row: instance, options } = settling;
  const goOn = (): void => cancelled?.throwIfAborted();
  await startForGood(context, settling);
  try {
    return await comingUp(context, settling, goOn, (removed) => {
      const signal = cancelled ? AbortSignal.any([cancelled, removed]) : removed;
      return prove(context, permanentOf(context, instance.name), { instance, options }, signal);
    });
  } catch (error) {
    if (!(error instanceof IniRemoved)) throw error;
    return { healthy: false, problem: error.message };
  }
}

/** The vassal was ended, and may be started anew. */
class IniRemoved extends Error {
  override message = "its ini was removed while it came up";
}

/**
 * Proves a permanent vassal that was started, and once more where its ini went meanwhile: whoever removes it again and
 * again means it.
 */
async function comingUp(
  context: DeployContext,
  settling: Settling,
  goOn: () => void,
  work: (removed: AbortSignal) => Promise<Health>,
): Promise<Health> {
  const { name } = settling.row;
  try {
    return await whileIniStands(context, name, work);
  } catch (error) {
    if (!(error instanceof IniRemoved)) throw error;
    goOn();
    await startForGood(context, settling);
    return whileIniStands(context, name, work);
  }
}

/** Milliseconds. */
const lookEvery = 50;

/**
 * Proves a permanent vassal that comes up. Where somebody removes its ini meanwhile, the Emperor never starts it; or it
 * tells it to stop, which a vassal that boots does not hear: then it would end some time after it was proven, and until
 * then the Emperor would not start another one of its name. So it is ended before `IniRemoved` is thrown.
 */
async function whileIniStands(
  context: DeployContext,
  instance: string,
  work: (removed: AbortSignal) => Promise<Health>,
): Promise<Health> {
  const { emperor } = context;
  const { ini } = permanentOf(context, instance);
  const removed = new AbortController();
  let isOver = false;
  const watch = async (): Promise<void> => {
    while (!isOver && (await isThere())) await sleep(lookEvery);
    removed.abort();
  };
  // That nobody could look says nothing.
  const isThere = (): Promise<boolean> => isPresent(ini).catch(() => true);
  // It may be back, but for a vassal that was told to stop meanwhile and is to end.
  const isEnding = async (): Promise<boolean> =>
    ((await findVassal(emperor, basename(ini)).catch(() => undefined))?.cursed ?? 0) > 0;

  watch().catch(() => undefined);
  const [outcome] = await Promise.allSettled([work(removed.signal)]);
  isOver = true;
  const isWell = outcome.status === "fulfilled" && outcome.value.healthy;
  if (!(await isThere()) || (isWell && (await isEnding()))) {
    await holdVassal(emperor, ini, 0);
    throw new IniRemoved();
  }
  if (outcome.status === "rejected") throw outcome.reason;
  return outcome.value;
}
