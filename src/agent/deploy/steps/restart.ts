import { basename } from "node:path";
import type { Vassal } from "../../../names/vassal.ts";
import { hasCode } from "../../../errors.ts";
import { milliseconds } from "../../../system/clock.ts";
import { removeFile } from "../../../system/files.ts";
import { adoptVariables, bringBackVariables } from "../../variables/variables.ts";
import type { Deploy } from "../../store/deploys.ts";
import type { InstanceRow } from "../../store/instances.ts";
import { lengthOfLog } from "../../vassal/app-log.ts";
import { findVassal } from "../../vassal/emperor.ts";
import { dropHeldIni, holdVassal } from "../../vassal/vassal.ts";
import { converge } from "../../converge/converge.ts";
import { startAndProve, type Settling } from "../../converge/update.ts";
import { optionsOf, pathsOf, userOf, type DeployContext } from "../../world/context.ts";
import { linkedSocket } from "../../world/links.ts";
import { retireThose } from "../../converge/retiring.ts";
import { startSettling } from "../../converge/settle.ts";
import { note, type Preparation, type Step } from "../step.ts";
import { point, permanentOf, understudiesOf } from "../../instance/vassals.ts";
import { bootedOf } from "./health.ts";

/** Without an Emperor nobody would start again what the restart stops: it has to answer before. */
export const emperorStep: Step = {
  name: "emperor",
  run: async ({ context, instance }) => {
    await findVassal(context.emperor, basename(permanentOf(context, instance.name).ini));
    return undefined;
  },
  undo: () => Promise.resolve(),
};

/**
 * For an app that cannot run beside itself (`overlap = false`): the vassal is stopped and started with the
 * new release; the health says what that cost. Where it does not come up, the former release is started again.
 */
export const restartStep: Step = {
  name: "boot",
  run: async (preparation) => {
    const { context, instance, options, deploy, signal } = preparation;
    // Written down first: whoever takes it back, after a crash as well, starts the former release again.
    note(preparation, { strategy: "restart" });
    const paths = pathsOf(context, instance.name);
    const vassal = permanentOf(context, instance.name);
    context.background.supersede(instance.name);
    const carrier = await retireIdle(preparation);

    const stopped = milliseconds();
    await holdVassal(context.emperor, vassal.ini, options.grace * 1000);
    // The vassal may have had an older release: nobody is sent to it before it has stopped, nor to an understudy that ends.
    await point(context, vassal);
    retireThose(context, carrier);
    await context.background.allRetired(instance.name);
    const owner = { system: context.system, app: userOf(context, instance.name) };
    await adoptVariables(owner, paths.variables, deploy.number);
    const from = await lengthOfLog(paths.log);
    const health = startAndProve(context, { row: instance, deploy, options }, signal);
    return bootedOf(preparation, vassal, { from, stopped, health });
  },
  undo: async (context, deploy) => {
    if (deploy.strategy !== "restart") return;
    const row = context.store.instances.get(deploy.instance);
    const live = row?.live ? context.store.deploys.get(row.live) : undefined;
    try {
      await bringBack(context, deploy, row && live && { row, live });
    } catch (error) {
      // Settling brings the vassal to the former release as well, and goes on trying.
      if (live) startSettling(context, deploy.instance, live.id);
      throw error;
    }
  },
};

/**
 * Understudies of former deploys end, while whoever has the traffic goes on. Resolves to the one that has it, where that
 * deploy has not settled.
 */
async function retireIdle({ context, instance, deploy }: Preparation): Promise<Vassal[]> {
  // A settling that was superseded may be about to point the link.
  await context.background.rested(instance.name);
  const socket = await linkedSocket(pathsOf(context, instance.name).link);
  // Those before this one: the variables that this deploy proposes count as its understudy's.
  const standing = await understudiesOf(context, instance.name);
  const former = standing.filter((understudy) => understudy.deploy < deploy.number);
  retireThose(
    context,
    former.filter((understudy) => understudy.socket !== socket),
  );
  await context.background.idle(instance.name);
  return former.filter((understudy) => understudy.socket === socket);
}

/** `former`: what was on the air before; undefined where nothing was. */
async function bringBack(
  context: DeployContext,
  { instance }: Deploy,
  former: { row: InstanceRow; live: Deploy } | undefined,
): Promise<void> {
  const paths = pathsOf(context, instance);
  const vassal = permanentOf(context, instance);
  await bringBackVariables(context.system, paths.variables);
  // Read before anything is stopped: somebody may be writing them.
  const options = former && (await optionsOf(context, former.row.app));
  await holdVassal(context.emperor, vassal.ini, 0);
  if (!former || !options) {
    await dropHeldIni(vassal.ini);
    await removeFile(vassal.socket);
    return;
  }
  const { row, live } = former;
  const isBack = await start(context, { row, deploy: live, options });
  if (row.settled === live.id) return;
  // Its understudy had the traffic, and the vassal has yet to be written down as the one that serves it.
  if (!isBack) startSettling(context, instance, live.id, "started");
  else
    await converge(
      context,
      { row, deploy: live },
      { progress: "proven", onDisk: false, goOn: () => undefined },
    );
}

/** Resolves to whether it is well: who reads that the former release is on the air finds it there. */
async function start(context: DeployContext, settling: Settling): Promise<boolean> {
  const { name } = settling.row;
  try {
    const health = await startAndProve(context, settling);
    if (!health.healthy)
      context.log.warn({ instance: name, problem: health.problem }, "not back on the air");
    return health.healthy;
  } catch (error) {
    // Its ini is back all the same: an Emperor that is started again starts it.
    if (!hasCode(error, "EMPEROR_DOWN")) throw error;
    await dropHeldIni(permanentOf(context, name).ini);
    return false;
  }
}
