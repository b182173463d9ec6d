import { readlink } from "node:fs/promises";
import { relative } from "node:path";
import { environmentPath, type Instance } from "../../names/instance.ts";
import type { AppOptions } from "../../config/app-options.ts";
import { isPresent, symlinkAtomically, writeAtomically } from "../../system/files.ts";
import type { Deploy } from "../store/deploys.ts";
import { writeOnDemand } from "../vassal/on-demand.ts";
import { dropHeldIni, steady } from "../vassal/vassal.ts";
import { pathsOf, type DeployContext } from "../world/context.ts";
import { iniOf, planIni } from "../instance/inis.ts";
import { boot, expectServing, othersThan, settledVassal } from "../instance/vassals.ts";

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
 * The links, the settings and the ini that the vassal for good boots from become the deploy's, and the Emperor has it.
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
  { row, deploy, options }: Settling,
  goOn: () => void,
): Promise<void> {
  const { emperor } = context;
  const vassal = settledVassal(context, deploy);
  const within = options.health_deadline * 1000;
  if (vassal.role === "permanent" && !(await steady(emperor, vassal.ini, { within, goOn })))
    throw new Error(`the vassal did not come up with ${deploy.newCommit}`);
  goOn();
  await expectServing(context, vassal, { instance: row, options });
}
