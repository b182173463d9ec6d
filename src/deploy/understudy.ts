import { readdir, rm } from "node:fs/promises";
import { join } from "node:path";
import {
  environmentPath,
  pathUnder,
  placeHost,
  placeUrl,
  releasePath,
  sharesHost,
  socketStem,
  type Instance,
} from "../app/instance.ts";
import { branchName, isPreviewName, numberIn, slugOfPreview } from "../app/names.ts";
import { isUntouched } from "../app/signature.ts";
import type { AppOptions } from "../config/app-options.ts";
import {
  dropProposedSettings,
  findProposedSettings,
  proposedSettings,
} from "../settings/settings.ts";
import type { Deploy } from "../store/agent-store.ts";
import { mergeLogs } from "../vassal/app-log.ts";
import {
  understudyIni,
  vassalIni,
  withUser,
  withVirtualenv,
  type VassalValues,
} from "../vassal/vassal-ini.ts";
import {
  discardVassal,
  readIni,
  removeSocket,
  retireVassal,
  type HealthCheck,
} from "../vassal/vassal.ts";
import { pathsOf, runnerOf, type DeployContext } from "./context.ts";

export interface Understudy {
  /** The number of its deploy. */
  number: number;
  name: string;
  ini: string;
  socket: string;
  log: string;
}

/** Each deploy has an understudy of its own name: the former one may still be finishing its requests. */
export function understudyOf(context: DeployContext, instance: string, number: number): Understudy {
  const { vassals, sockets, appLogs } = context.config.layout;
  const name = `${instance}.next-${number}`;
  return {
    number,
    name,
    ini: join(vassals, `${name}.ini`),
    socket: join(sockets, `${socketStem(instance)}.next-${number}.sock`),
    log: join(appLogs, `${name}.log`),
  };
}

/** The understudies of an instance that stand on disk, found by their exact form, never by a prefix alone. */
export async function findUnderstudies(
  context: DeployContext,
  instance: string,
): Promise<Understudy[]> {
  const { vassals, sockets, appLogs } = context.config.layout;
  const names = (
    await Promise.all([vassals, sockets, appLogs].map((folder) => readdir(folder)))
  ).flat();
  const own = (name: string): number[] =>
    [instance, socketStem(instance)].flatMap((stem) =>
      numberIn(name, `${stem}.next-`, [".ini", ".sock", ".log"]),
    );
  const numbers = [
    ...names.flatMap(own),
    ...(await findProposedSettings(pathsOf(context, instance).settings)),
  ];
  return [...new Set(numbers)].map((number) => understudyOf(context, instance, number));
}

export interface PlannedIni {
  text: string;
  current: string | undefined;
  /** Somebody changed it since reeve wrote it: it stays, but for the path of the environment and the user. */
  edited: boolean;
}

/** The permanent vassal's ini, as this deploy wants it. */
export async function planIni(
  context: DeployContext,
  planning: { instance: Instance; deploy: Deploy; options: AppOptions },
): Promise<PlannedIni> {
  const { instance, deploy, options } = planning;
  const paths = pathsOf(context, instance.name);
  const environment = environmentPath(paths, deploy.environment ?? "");
  const current = await readIni(paths.ini);
  if (current !== undefined && !isUntouched(current)) {
    const text = withVirtualenv(current, environment);
    const { isRoot } = context.host;
    const runner = runnerOf(context, instance.name);
    return { text: isRoot ? withUser(text, runner.name) : text, current, edited: true };
  }
  const values = vassalValues(context, instance, options, {
    environment,
    module: deploy.module,
    root: deploy.root,
    commit: deploy.newCommit,
  });
  return { text: vassalIni(values), current, edited: false };
}

/** The understudy's ini, made from the permanent one so that the check tests what will run. */
export function understudyText(
  context: DeployContext,
  instance: Instance,
  deploy: Deploy,
  planned: PlannedIni,
): string {
  const paths = pathsOf(context, instance.name);
  const { socket, log } = understudyOf(context, instance.name, deploy.number);
  return understudyIni(
    planned.text,
    {
      name: instance.name,
      socket: paths.socket,
      app: paths.app,
      log: paths.log,
      settings: paths.settings,
    },
    {
      name: instance.name,
      socket,
      log,
      release: releasePath(paths, deploy.newCommit),
      environment: environmentPath(paths, deploy.environment ?? ""),
      settings: proposedSettings(paths.settings, deploy.number),
    },
  );
}

/** What an instance is asked before it goes on the air: at its own place, as nginx would say it. */
export function healthCheck(
  context: DeployContext,
  instance: Instance,
  options: AppOptions,
): HealthCheck {
  const { port } = context.config.server;
  return {
    question: {
      path: pathUnder(instance.place, options.health_path),
      headers: {
        Host: placeHost(instance.place, port),
        "X-Forwarded-Proto": "http",
        "X-Forwarded-For": "127.0.0.1",
        "User-Agent": "reeve (health)",
      },
    },
    status: options.health_status,
    deadline: options.health_deadline * 1000,
  };
}

/** Stops an understudy and removes what it leaves. Resolves to how many processes did not end within the grace. */
export async function retireUnderstudy(
  context: DeployContext,
  instance: string,
  understudy: Understudy,
  grace: number,
): Promise<number> {
  // Without its ini as well: whoever stopped it may have been killed over that, and it runs on.
  const killed = await retireVassal(context.emperor, understudy.ini, grace);
  const { settings, log } = pathsOf(context, instance);
  await removeSocket(understudy.socket);
  await dropProposedSettings(context.host, settings, understudy.number);
  await mergeLogs(understudy.log, log);
  return killed;
}

/** The same for one that never carried a request: its words were told to the pusher. */
export async function discardUnderstudy(
  context: DeployContext,
  instance: string,
  understudy: Understudy,
): Promise<void> {
  await discardVassal(context.emperor, understudy.ini);
  await removeSocket(understudy.socket);
  await dropProposedSettings(context.host, pathsOf(context, instance).settings, understudy.number);
  await rm(understudy.log, { force: true });
}

function vassalValues(
  context: DeployContext,
  instance: Instance,
  options: AppOptions,
  release: Pick<VassalValues, "environment" | "module" | "root"> & { commit: string },
): VassalValues {
  const { layout, server } = context.config;
  const runner = runnerOf(context, instance.name);
  return {
    name: instance.name,
    url: placeUrl(instance.place, server.port),
    release: isPreviewName(instance.name) ? releaseHeader(instance, release.commit) : undefined,
    sockets: layout.sockets,
    socket: socketStem(instance.name) === instance.name ? "%n" : socketStem(instance.name),
    srv: layout.srv,
    own: layout.apps,
    logs: layout.appLogs,
    environment: release.environment,
    module: release.module,
    root: release.root,
    mount: sharesHost(instance.place) ? instance.place.path.slice(0, -1) : undefined,
    workers: options.workers,
    listen: context.listen,
    ...limitsOf(context, options),
    grace: options.grace,
    identity: context.host.isRoot
      ? { user: runner.name, group: runner.name, web: server.web_user }
      : undefined,
  };
}

/** A control group's are for the whole vassal; where it has none, uWSGI's own are for each process and for the user. */
function limitsOf(
  { groups: { means }, host }: DeployContext,
  { memory, processes }: AppOptions,
): Pick<VassalValues, "group" | "memory" | "processes"> {
  return {
    group: { memory: means.memory ? memory : 0, processes: means.processes ? processes : 0 },
    memory: means.memory ? 0 : memory,
    processes: means.processes || !host.isRoot ? 0 : processes,
  };
}

/** What a preview's answers carry; a branch whose name is not for an ini is named by its slug. */
function releaseHeader({ name, branch }: Instance, commit: string): string {
  return `${branchName.safeParse(branch).success ? branch : slugOfPreview(name)} ${commit}`;
}
