import type { Instance } from "../app/instance.ts";
import type { Vassal } from "../app/vassal.ts";
import type { AppOptions } from "../config/app-options.ts";
import type { DeployContext } from "./context.ts";
import { retire, vassalsOf } from "./vassals.ts";

/** Milliseconds. */
export const retrySoon = 2000;

/** Understudies of deploys before this number, which end in their own time, beside what comes next. */
export function retireBefore(
  context: DeployContext,
  row: Instance,
  options: AppOptions,
  number: number,
): Promise<void> {
  const isFormer = ({ role, deploy }: Vassal): boolean => role === "understudy" && deploy < number;
  return retireThose(context, row, options, isFormer);
}

/** The same for all that are over. One that cannot be ended is tried again. */
export async function retireThose(
  context: DeployContext,
  row: Instance,
  options: AppOptions,
  isOver: (vassal: Vassal) => boolean,
): Promise<void> {
  const terms = { grace: options.grace * 1000, waking: options.health_deadline * 1000 };
  for (const vassal of (await vassalsOf(context, row.name)).filter(isOver)) {
    const retiring = retire(context, vassal, terms)
      .then((killed) => {
        if (killed > 0) noteCut(context, row, vassal, options);
      })
      .catch((error: unknown) => {
        context.log.error({ err: error, ini: vassal.ini }, "could not retire");
        later(context, () => retireThose(context, row, options, isOver));
      });
    context.background.retires(vassal, retiring);
  }
}

function noteCut(
  { store }: DeployContext,
  row: Instance,
  vassal: Vassal,
  { grace }: AppOptions,
): void {
  const deploy = store.deploys.byNumber(row.app, vassal.deploy);
  if (!deploy) return;
  const who = vassal.role === "understudy" ? "understudy" : "vassal";
  const note = `its ${who} retired; requests were cut after ${grace} s`;
  store.deploys.change(deploy.id, { note: [deploy.note, note].filter(Boolean).join("; ") });
}

/** Clears away once more what could not be cleared away just now. */
export function later({ log }: DeployContext, work: () => Promise<void>): void {
  setTimeout(() => {
    work().catch((error: unknown) => log.error({ err: error }, "could not clear away"));
  }, retrySoon).unref();
}
