import { readdir } from "node:fs/promises";
import { socketStem, type Instance } from "../../names/instance.ts";
import {
  parseVassalName,
  permanentVassal,
  understudyOf,
  vassalForGood,
  vassalOf,
  type Vassal,
} from "../../names/vassal.ts";
import type { AppOptions } from "../../config/app-options.ts";
import { sleep, waitFor } from "../../system/clock.ts";
import { dropProposedVariables, findProposedVariables } from "../variables/variables.ts";
import type { Deploy } from "../store/deploys.ts";
import { mergeLogs, provideLog } from "../vassal/app-log.ts";
import { removeLog } from "../vassal/rotation.ts";
import { installOnDemand, isAwake, removeVassalFiles } from "../vassal/on-demand.ts";
import {
  discardVassal,
  dropHeldIni,
  installIni,
  proveHealthy,
  putIni,
  retireVassal,
  steady,
  type Health,
} from "../vassal/vassal.ts";
import { pathsOf, userOf, type DeployContext } from "../world/context.ts";
import { healthCheck } from "./inis.ts";

// What serves an instance, and what happens to it: it is booted and proven, the traffic is pointed at it, it ends.

export function permanentOf(context: DeployContext, instance: string): Vassal {
  return permanentVassal(context.config.layout, instance);
}

export function understudyFor(context: DeployContext, deploy: Deploy): Vassal {
  return understudyOf(context.config.layout, deploy.instance, deploy.number);
}

/** Who has the traffic of an instance when this deploy has settled. */
export function settledVassal(context: DeployContext, deploy: Deploy): Vassal {
  return vassalForGood(context.config.layout, deploy.instance, deploy.number);
}

/**
 * The vassals of an instance that stand on disk, with all their files or with one that was left, whichever process they
 * run; but for the permanent one of `web`, which is always counted. They are found by their exact names, never by how
 * these begin.
 */
export async function vassalsOf(context: DeployContext, instance: string): Promise<Vassal[]> {
  const { layout } = context.config;
  const folders = [layout.vassals, layout.sockets, layout.appLogs];
  const names = (await Promise.all(folders.map((folder) => readdir(folder)))).flat();
  const stems = [instance, socketStem(instance)];
  const proposed = await findProposedVariables(pathsOf(context, instance).variables);
  const found = new Map<string, Vassal>();
  const add = (vassal: Vassal): unknown => found.set(vassal.ini, vassal);
  for (const name of names) {
    const parsed = parseVassalName(name);
    if (parsed && stems.includes(parsed.stem)) add(vassalOf(layout, { instance, ...parsed }));
  }
  for (const deploy of proposed) add(understudyOf(layout, instance, deploy));
  return [...found.values()];
}

/** The others of the same process: who serves in a vassal's stead, before it and after it. */
export async function othersThan(context: DeployContext, vassal: Vassal): Promise<Vassal[]> {
  const { instance, process, ini } = vassal;
  const standing = await vassalsOf(context, instance);
  return standing.filter((other) => other.process === process && other.ini !== ini);
}

export async function understudiesOf(context: DeployContext, instance: string): Promise<Vassal[]> {
  return (await vassalsOf(context, instance)).filter(({ role }) => role === "understudy");
}

/** Resolves when the Emperor has its ini, and of one on demand when nginx may be pointed there. */
export async function boot(context: DeployContext, vassal: Vassal, text: string): Promise<void> {
  const { emperor, system } = context;
  await provideLog(vassal.log, userOf(context, vassal.instance), system.isRoot);
  switch (vassal.role) {
    case "understudy":
      // The Emperor has never seen its name.
      await putIni(emperor, vassal.ini, { text, newerThan: 0, lasting: false });
      break;
    case "on demand":
      await installOnDemand(emperor, vassal, text);
      break;
    case "permanent":
      await installIni(emperor, vassal.ini, text);
      await dropHeldIni(vassal.ini);
  }
}

/** An answer on the vassal's own socket, on which nobody else calls yet. */
export function prove(
  context: DeployContext,
  vassal: Vassal,
  { instance, options }: { instance: Instance; options: AppOptions },
  cancelled?: AbortSignal,
): Promise<Health> {
  const check = healthCheck(context, instance, options);
  return proveHealthy(context.emperor, vassal, check, cancelled);
}

/** The same of one that has been proven before: throws where it is not well. */
export async function expectServing(
  context: DeployContext,
  vassal: Vassal,
  serving: { instance: Instance; options: AppOptions },
  cancelled?: AbortSignal,
): Promise<Health> {
  const health = await prove(context, vassal, serving, cancelled);
  if (!health.healthy) throw new Error(`the vassal came up and is not well: ${health.problem}`);
  return health;
}

/** Moves the traffic to it. `expectCurrent` throws where something newer has come, whose traffic this would take. */
export function point(
  context: DeployContext,
  { instance, socket }: Vassal,
  expectCurrent?: () => void,
): Promise<void> {
  return context.links.point(pathsOf(context, instance).link, socket, expectCurrent);
}

/** Of an instance that is removed. */
export function removeLink(context: DeployContext, instance: string): Promise<void> {
  return context.links.remove(pathsOf(context, instance).link);
}

/** Whether nobody waits any more in the queue of whom the link pointed at before. */
export function isDrained(context: DeployContext, instance: string): boolean {
  return context.links.restsFor(pathsOf(context, instance).link) >= context.config.server.drain;
}

/** Waits for that. `goOn` throws where nobody wants to wait any more. */
export async function drained(
  context: DeployContext,
  instance: string,
  goOn: () => void = () => undefined,
): Promise<void> {
  const isOver = (): Promise<boolean> => {
    goOn();
    return Promise.resolve(isDrained(context, instance));
  };
  await waitFor(isOver, { within: context.config.server.drain, every: 20 });
}

/** In milliseconds. */
export interface Terms {
  /** For what it is answering. */
  grace: number;
  /** For one that is waking up, and then answers who waits for it; 0: nobody does. */
  waking: number;
}

/**
 * Stops a vassal that gets no new requests any more, and removes what it leaves. Resolves to how many processes did
 * not end within the grace.
 */
export async function retire(
  context: DeployContext,
  vassal: Vassal,
  { grace, waking }: Terms,
): Promise<number> {
  const { config, emperor } = context;
  if (waking > 0 && vassal.role === "on demand" && (await isAwake(emperor, vassal))) {
    await steady(emperor, vassal.ini, { within: waking, goOn: () => undefined });
    await sleep(config.server.drain);
  }
  // Without its ini as well: whoever stopped it may have been killed over that, and it runs on.
  const killed = await retireVassal(emperor, vassal.ini, grace);
  await clearAway(context, vassal);
  if (vassal.role === "understudy")
    await mergeLogs(vassal.log, pathsOf(context, vassal.instance).log);
  return killed;
}

/** The same for one that never carried a request: its words were told to the pusher. */
export async function discard(context: DeployContext, vassal: Vassal): Promise<void> {
  await discardVassal(context.emperor, vassal.ini);
  await clearAway(context, vassal);
  if (vassal.role === "understudy") await removeLog(vassal.log);
}

/** Its files, also where no Emperor runs; its log is for the caller to keep. */
async function clearAway(context: DeployContext, vassal: Vassal): Promise<void> {
  await removeVassalFiles(vassal);
  if (vassal.role !== "understudy") return;
  const { variables } = pathsOf(context, vassal.instance);
  await dropProposedVariables(context.system, variables, vassal.deploy);
}
