import { basename } from "node:path";
import type { Vassal } from "../../names/vassal.ts";
import type { Deploy } from "../store/deploys.ts";
import type { InstanceRow } from "../store/instances.ts";
import { listVassals, type VassalStatus } from "../vassal/emperor.ts";
import { isUpdated } from "./update.ts";
import { optionsOf, pathsOf, type DeployContext } from "../world/context.ts";
import { linkedSocket } from "../world/links.ts";
import type { Progress, Seen, Standing } from "./plan.ts";
import { isDrained, othersThan, settledVassal } from "../instance/vassals.ts";

/** An instance, and the deploy that is live of it. */
export interface Live {
  row: InstanceRow;
  deploy: Deploy;
}

/** What there is of an instance just now, of the process that has the traffic; `progress`: where that is known, it is not looked for. */
export async function observe(
  context: DeployContext,
  live: Live,
  progress?: Progress,
): Promise<Seen> {
  const { row, deploy } = live;
  const { background, emperor } = context;
  const forGood = settledVassal(context, deploy);
  // Before the look: one that goes meanwhile was not left behind either.
  const retiring = background.retiring(row.name);
  const before = underWay(context, row);
  const found = await othersThan(context, forGood);
  // Every answer of the Emperor's costs as much as there are vassals; without others there is nothing to choose.
  const all = found.length > 0 ? await listVassals(emperor).catch(() => undefined) : undefined;
  const standing = (vassal: Vassal): Standing => ({
    ...vassal,
    awake: isAwake(vassal, all),
    ending: retiring.has(vassal.ini),
  });
  const { link } = pathsOf(context, row.name);
  const seen = {
    live: { number: deploy.number, commit: deploy.newCommit },
    forGood: standing(forGood),
    progress: progress ?? (await progressOf(context, live)),
    link: await linkedSocket(link),
    drained: isDrained(context, row.name),
  };
  // After the look as well: one that has come meanwhile is its own deploy's.
  const spoken = new Set([...before, ...underWay(context, row)]);
  return { ...seen, others: found.filter((one) => !spoken.has(one.deploy)).map(standing) };
}

/** The numbers of the instance's deploys that are neither live nor refused yet. */
function underWay({ store }: DeployContext, { name }: InstanceRow): number[] {
  const deploys = store.deploys.unfinished().filter(({ instance }) => instance === name);
  return deploys.map(({ number }) => number);
}

/** By the record, and by what is on disk. */
async function progressOf(context: DeployContext, { row, deploy }: Live): Promise<Progress> {
  if (row.settled !== deploy.id) return "unsettled";
  const options = await optionsOf(context, row.app);
  return (await isUpdated(context, { row, deploy, options })) ? "settled" : "astray";
}

/** Where the Emperor does not answer, nobody knows of a death. */
function isAwake({ ini, role }: Vassal, all: VassalStatus[] | undefined): boolean {
  if (all === undefined) return true;
  const status = all.find(({ id }) => id === basename(ini));
  if (!status) return false;
  // One that sleeps stands in the list as well, without a process.
  return role === "on demand" ? status.pid > 0 : status.accepting > 0 && status.cursed === 0;
}
