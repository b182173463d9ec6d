import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { environmentPath, releasePath, socketStem } from "../app/instance.ts";
import { isPreviewName, numberIn } from "../app/names.ts";
import type { AppOptions } from "../config/app-options.ts";
import type { Deploy } from "../store/agent-store.ts";
import { handedSocket, withIdle, type OnDemandVassal } from "../vassal/on-demand.ts";
import { understudyIni } from "../vassal/vassal-ini.ts";
import { pathsOf, type DeployContext } from "./context.ts";

/** A preview's vassal, which belongs to one release and sleeps until somebody looks. */
export interface Sleeper extends OnDemandVassal {
  /** The number of its deploy. */
  number: number;
}

export function sleeperOf(context: DeployContext, instance: string, number: number): Sleeper {
  const { vassals, sockets } = context.config.layout;
  return {
    number,
    ini: join(vassals, `${instance}.rel-${number}.ini`),
    socket: join(sockets, `${socketStem(instance)}.rel-${number}.sock`),
  };
}

/** A preview's vassals that stand on disk. */
export async function findSleepers(context: DeployContext, instance: string): Promise<Sleeper[]> {
  if (!isPreviewName(instance)) return [];
  const { vassals, sockets } = context.config.layout;
  const numbersIn = async (folder: string, stem: string): Promise<number[]> => {
    const names = await readdir(folder);
    return names.flatMap((name) =>
      numberIn(name, `${stem}.rel-`, [".ini", ".ini.socket", ".sock"]),
    );
  };
  const numbers = [
    ...(await numbersIn(vassals, instance)),
    ...(await numbersIn(sockets, socketStem(instance))),
  ];
  return [...new Set(numbers)].map((number) => sleeperOf(context, instance, number));
}

/** Where the traffic is led when a deploy has settled: to the permanent vassal, or to a preview's sleeper. */
export function seatOf(
  context: DeployContext,
  instance: string,
  deploy: Deploy | undefined,
): { ini: string; socket: string } {
  return deploy && isPreviewName(instance)
    ? sleeperOf(context, instance, deploy.number)
    : pathsOf(context, instance);
}

/** The sleeper's ini, made from the text that its understudy was made from. */
export function sleeperText(
  context: DeployContext,
  { instance, deploy, options }: { instance: string; deploy: Deploy; options: AppOptions },
  text: string,
): string {
  const paths = pathsOf(context, instance);
  const own = {
    name: instance,
    socket: handedSocket,
    log: paths.log,
    release: releasePath(paths, deploy.newCommit),
    environment: environmentPath(paths, deploy.environment ?? ""),
    settings: paths.settings,
    title: `${instance}, deploy ${deploy.number}`,
  };
  return withIdle(understudyIni(text, { ...paths, name: instance }, own), options.preview_idle);
}
