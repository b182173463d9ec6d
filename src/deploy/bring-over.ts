import { readlink } from "node:fs/promises";
import { relative } from "node:path";
import { environmentPath, type Instance, type InstancePaths } from "../app/instance.ts";
import { isPreviewName } from "../app/names.ts";
import type { AppOptions } from "../config/app-options.ts";
import { isPresent, symlinkAtomically, writeAtomically } from "../host/files.ts";
import type { Deploy } from "../store/agent-store.ts";
import { provideLog } from "../vassal/app-log.ts";
import { installOnDemand, isAwake } from "../vassal/on-demand.ts";
import { dropHeldIni, holdVassal, installIni, proveHealthy, steady } from "../vassal/vassal.ts";
import { requirementsOf, runnerOf, type DeployContext } from "./context.ts";
import { findSleepers, sleeperOf, sleeperText } from "./seat.ts";
import { healthCheck, planIni } from "./understudy.ts";

/** A deploy that settles, and all that it settles with. */
export interface Settling {
  row: Instance;
  deploy: Deploy;
  options: AppOptions;
  paths: InstancePaths;
}

/** Whether the permanent vassal's links and ini, or a preview's sleeper, are what this deploy wants. */
export async function isBroughtOver(
  context: DeployContext,
  { row, deploy, options, paths }: Settling,
): Promise<boolean> {
  if (isPreviewName(row.name)) {
    const sleepers = await findSleepers(context, row.name);
    const own = sleeperOf(context, row.name, deploy.number);
    return sleepers.length === 1 && (await isPresent(own.ini));
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
    (await isPresent(paths.ini))
  );
}

/** The links, the settings and the ini that the permanent vassal boots from, as this deploy wants them. */
export async function moveLinks(
  context: DeployContext,
  { row, deploy, options, paths }: Settling,
): Promise<{ text: string; changed: boolean }> {
  const [main] = requirementsOf(context, deploy);
  await symlinkAtomically(`releases/${deploy.newCommit}`, paths.app);
  const environment = environmentPath(paths, deploy.environment ?? "");
  await symlinkAtomically(relative(paths.folder, environment), paths.env);
  // It may name an index with its password.
  await writeAtomically(paths.requirements, main?.text ?? "", { mode: 0o640 });

  const planned = await planIni(context, { instance: row, deploy, options });
  return { text: planned.text, changed: planned.text !== planned.current };
}

/**
 * Brings the permanent vassal to the deploy, behind the understudy: it is stopped, with all that its app started, and
 * started anew. A reload would keep variables that were taken away and children of the former release. Resolves to
 * whether requests had to be cut.
 */
export async function bringOver(
  context: DeployContext,
  settling: Settling,
  goOn: () => void,
): Promise<boolean> {
  const { emperor } = context;
  const { row, options, paths } = settling;
  const killed = await holdVassal(emperor, paths.ini, options.grace * 1000);
  goOn();
  const ini = await moveLinks(context, settling);
  await provideLog(paths.log, runnerOf(context, row.name), context.host.isRoot);
  await installIni(emperor, paths.ini, ini.text);
  await dropHeldIni(paths.ini);

  const isUp = await steady(emperor, paths.ini, { within: options.health_deadline * 1000, goOn });
  if (!isUp) throw new Error(`the vassal did not come up with ${settling.deploy.newCommit}`);
  return killed > 0;
}

/**
 * A preview's release gets its own vassal, which nobody has to wait for: it sleeps. Only where somebody looks
 * at the one before is it woken, so that they notice nothing.
 */
export async function putToSleep(
  context: DeployContext,
  settling: Settling,
  goOn: () => void,
): Promise<boolean> {
  const { emperor } = context;
  const { row, deploy, options, paths } = settling;
  const { text } = await moveLinks(context, settling);
  await provideLog(paths.log, runnerOf(context, row.name), context.host.isRoot);
  goOn();
  const sleeper = sleeperOf(context, row.name, deploy.number);
  await installOnDemand(
    emperor,
    sleeper,
    sleeperText(context, { instance: row.name, deploy, options }, text),
  );
  for (const former of await findSleepers(context, row.name)) {
    if (former.number === deploy.number || !(await isAwake(emperor, former))) continue;
    await expectServing(context, settling, sleeper);
    break;
  }
  return false;
}

/** An answer on the vassal's own socket, on which nobody else calls yet. */
export async function expectServing(
  context: DeployContext,
  { row, options }: Settling,
  seat: { ini: string; socket: string },
): Promise<void> {
  const health = await proveHealthy(context.emperor, seat, healthCheck(context, row, options));
  if (!health.healthy) throw new Error(`the vassal came up and is not well: ${health.problem}`);
}
