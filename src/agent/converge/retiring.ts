import { appOfInstance } from "../../names/names.ts";
import type { Vassal } from "../../names/vassal.ts";
import { optionsOf, type DeployContext } from "../world/context.ts";
import { retire } from "../instance/vassals.ts";

/** Milliseconds. */
export const retrySoon = 2000;

/** They end in their own time, beside what comes next. One that cannot be ended is tried again. */
export function retireThose(context: DeployContext, vassals: Vassal[]): void {
  for (const vassal of vassals) {
    const retiring = retireInTime(context, vassal).catch((error: unknown) => {
      context.log.error({ err: error, ini: vassal.ini }, "could not retire");
      context.background.leaveUnended(vassal);
      setTimeout(() => retireThose(context, [vassal]), retrySoon).unref();
    });
    context.background.retires(vassal, retiring);
  }
}

async function retireInTime(context: DeployContext, vassal: Vassal): Promise<void> {
  const app = appOfInstance(vassal.instance);
  const { grace, health_deadline: waking } = await optionsOf(context, app);
  const killed = await retire(context, vassal, { grace: grace * 1000, waking: waking * 1000 });
  const deploy = context.store.deploys.byNumber(app, vassal.deploy);
  if (killed === 0 || !deploy) return;
  const who = vassal.role === "understudy" ? "understudy" : "vassal";
  const note = `its ${who} retired; requests were cut after ${grace} s`;
  context.store.deploys.change(deploy.id, { note: [deploy.note, note].filter(Boolean).join("; ") });
}
