import { readlink } from "node:fs/promises";
import { relative } from "node:path";
import { environmentPath, type Instance, type InstancePaths } from "../app/instance.ts";
import type { AppOptions } from "../config/app-options.ts";
import { isPresent, symlinkAtomically, writeAtomically } from "../host/files.ts";
import type { Deploy } from "../store/agent/deploys.ts";
import { isAwake } from "../vassal/on-demand.ts";
import { holdVassal, steady } from "../vassal/vassal.ts";
import type { DeployContext } from "./context.ts";
import { iniOf, planIni } from "./inis.ts";
import { boot, expectServing, settledVassal, vassalsOf } from "./vassals.ts";

/** A deploy that settles, and all that it settles with. */
export interface Settling {
  row: Instance;
  deploy: Deploy;
  options: AppOptions;
  paths: InstancePaths;
}

/** Whether the links and the vassal for good are what this deploy wants. */
export async function isBroughtOver(
  context: DeployContext,
  { row, deploy, options, paths }: Settling,
): Promise<boolean> {
  const own = settledVassal(context, deploy);
  if (own.role === "on demand") {
    const others = await vassalsOf(context, row.name);
    const isAlone = others.every(({ role, ini }) => role !== own.role || ini === own.ini);
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

/** The links, the settings and the ini that the permanent vassal boots from, as this deploy wants them. */
export async function moveLinks(
  context: DeployContext,
  { row, deploy, options, paths }: Settling,
): Promise<{ text: string; changed: boolean }> {
  const [main] = context.store.requirements.of(deploy);
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
  const { deploy, options } = settling;
  const vassal = settledVassal(context, deploy);
  const killed = await holdVassal(emperor, vassal.ini, options.grace * 1000);
  goOn();
  const { text } = await moveLinks(context, settling);
  await boot(context, vassal, text);

  const isUp = await steady(emperor, vassal.ini, { within: options.health_deadline * 1000, goOn });
  if (!isUp) throw new Error(`the vassal did not come up with ${deploy.newCommit}`);
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
  const { row, deploy, options } = settling;
  const { text } = await moveLinks(context, settling);
  goOn();
  const vassal = settledVassal(context, deploy);
  await boot(context, vassal, iniOf(context, vassal, { deploy, options, text }));
  for (const former of await vassalsOf(context, row.name)) {
    if (former.role !== vassal.role || former.ini === vassal.ini) continue;
    if (!(await isAwake(context.emperor, former))) continue;
    await expectServing(context, vassal, { instance: row, options });
    break;
  }
  return false;
}
