import { holdVassal } from "../vassal/vassal.ts";
import { proveForGood, startForGood, writeForGood, type Settling } from "./update.ts";
import { optionsOf, type DeployContext } from "../world/context.ts";
import { observe, type Live } from "./observe.ts";
import { plan, type Next, type Progress } from "./plan.ts";
import { retireThose } from "./retiring.ts";
import { drained, permanentOf, point } from "../instance/vassals.ts";

/** What is remembered from one look to the next. */
export interface Attempt {
  /** How far the vassal for good has come; undefined: it is looked for each time. */
  progress?: Progress | undefined;
  /** No Emperor runs. */
  onDisk: boolean;
  /** Throws where something newer has come. */
  goOn: () => void;
  /** What there is to say where requests of the vassal's were cut. */
  cut?: string | undefined;
  /** Why it failed. */
  problem?: string;
}

/** What this loop does by itself; the rest is for whoever asked. */
type Step = Exclude<Next, { do: "rest" | "settle" | "try again" | "deploy" | "remove" }>;

/**
 * Brings an instance to what is live of it: it looks, does the one thing that comes next, and looks again. Resolves to
 * what is left.
 */
export async function converge(
  context: DeployContext,
  live: Live,
  attempt: Attempt,
  tell: (done: Step) => void = () => undefined,
): Promise<Next> {
  const { onDisk } = attempt;
  for (;;) {
    const seen = await observe(context, live, attempt.progress);
    attempt.goOn();
    const next = plan({ commit: live.deploy.newCommit, onDisk }, seen);
    switch (next.do) {
      case "rest":
      case "settle":
      case "try again":
      case "deploy":
      case "remove":
        return next;
      default:
        attempt.progress = await take(context, live, next, attempt);
        tell(next);
    }
  }
}

/** Resolves to how far the vassal for good has come then. */
async function take(
  context: DeployContext,
  live: Live,
  next: Step,
  attempt: Attempt,
): Promise<Progress | undefined> {
  const { row } = live;
  const { goOn, onDisk, progress } = attempt;
  const settling = async (): Promise<Settling> => {
    return { ...live, options: await optionsOf(context, row.app) };
  };
  switch (next.do) {
    case "point":
      await point(context, next.to, goOn);
      return progress;
    case "drain":
      await drained(context, row.name, goOn);
      return progress;
    case "retire":
      retireThose(context, next.vassals);
      // The next Emperor starts whatever it finds.
      if (onDisk) await context.background.allRetired(row.name);
      return progress;
    case "stop":
      attempt.cut = await stop(context, live, next.cut);
      return next.cut ? "held" : "stopped";
    case "start":
      await startForGood(context, await settling());
      return "started";
    case "prove":
      await proveForGood(context, await settling(), goOn);
      return "proven";
    case "record":
      recordSettled(context, live, attempt);
      return "settled";
    case "degrade":
      recordDegraded(context, live, attempt);
      return "degraded";
    case "write":
      await writeForGood(context, await settling());
      context.store.instances.change(row.name, { settled: live.deploy.id, degraded: null });
      return "settled";
  }
}

async function stop(
  context: DeployContext,
  { row }: Live,
  cut: boolean,
): Promise<string | undefined> {
  const { ini } = permanentOf(context, row.name);
  const grace = cut ? 0 : (await optionsOf(context, row.app)).grace;
  const killed = await holdVassal(context.emperor, ini, grace * 1000);
  return killed > 0 ? `requests were cut after ${grace} s` : undefined;
}

function recordSettled({ store }: DeployContext, { row, deploy }: Live, { cut }: Attempt): void {
  store.instances.change(row.name, { settled: deploy.id, degraded: null });
  store.deploys.change(deploy.id, { note: cut === undefined ? "settled" : `settled; ${cut}` });
}

function recordDegraded(
  { store, log }: DeployContext,
  { row, deploy }: Live,
  { problem = "" }: Attempt,
): void {
  log.error({ instance: row.name, problem }, "degraded: the understudy goes on");
  store.instances.change(row.name, { degraded: problem });
  store.deploys.change(deploy.id, { note: `degraded: ${problem}` });
}
