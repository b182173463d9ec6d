import {
  environmentPath,
  pathUnder,
  placeHost,
  placeUrl,
  releasePath,
  sharesHost,
  socketStem,
  visitedThere,
  type Instance,
} from "../../names/instance.ts";
import { visitedAt } from "../../config/visited.ts";
import { branchName, isPreviewName, slugOfPreview } from "../../names/names.ts";
import { webOf, type Process } from "../../names/process.ts";
import { isUntouched } from "../../system/signature.ts";
import { permanentVassal, type Vassal } from "../../names/vassal.ts";
import type { AppOptions } from "../../config/app-options.ts";
import type { Deploy } from "../store/deploys.ts";
import { handedSocket, withIdle } from "../vassal/on-demand.ts";
import {
  understudyIni,
  vassalIni,
  withUser,
  withVirtualenv,
  type VassalValues,
} from "../vassal/vassal-ini.ts";
import { readIni, type HealthCheck } from "../vassal/vassal.ts";
import { pathsOf, userOf, type DeployContext } from "../world/context.ts";

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
  const current = await readIni(permanentVassal(context.config.layout, instance.name).ini);
  if (current !== undefined && !isUntouched(current)) {
    const text = withVirtualenv(current, environment);
    const { isRoot } = context.system;
    const appUser = userOf(context, instance.name);
    return { text: isRoot ? withUser(text, appUser.name) : text, current, edited: true };
  }
  const values = vassalValues(context, instance, options, {
    environment,
    process: webOfDeploy(deploy),
    root: deploy.root,
    commit: deploy.newCommit,
  });
  return { text: vassalIni(values), current, edited: false };
}

/**
 * The ini of any vassal of a deploy, made from the permanent one's text (`planIni`): what is proven is what will run,
 * and what an administrator has changed in it by hand is proven, too.
 */
export function iniOf(
  context: DeployContext,
  vassal: Vassal,
  { deploy, options, text }: { deploy: Deploy; options: AppOptions; text: string },
): string {
  if (vassal.role === "permanent") return text;
  const paths = pathsOf(context, vassal.instance);
  const permanent = permanentVassal(context.config.layout, vassal.instance);
  const moved = {
    name: vassal.instance,
    socket: vassal.socket,
    log: vassal.log,
    variables: vassal.variables,
    release: releasePath(paths, deploy.newCommit),
    environment: environmentPath(paths, deploy.environment ?? ""),
  };
  const from = { ...permanent, name: vassal.instance, app: paths.app };
  if (vassal.role === "understudy") return understudyIni(text, from, moved);
  const title = `${vassal.instance}, deploy ${deploy.number}`;
  const own = { ...moved, socket: handedSocket, title };
  return withIdle(understudyIni(text, from, own), options.preview_idle);
}

/** What an instance is asked before it goes on the air: at its own place, as a visitor's request comes from nginx. */
export function healthCheck(
  context: DeployContext,
  instance: Instance,
  options: AppOptions,
): HealthCheck {
  const visited = visitedAt(context.config.server);
  return {
    request: {
      path: pathUnder(instance.place, options.health_path),
      headers: {
        Host: placeHost(instance.place, visited),
        "X-Real-IP": "127.0.0.1",
        "X-Forwarded-For": "127.0.0.1",
        "X-Forwarded-Proto": visitedThere(instance.place, visited).scheme,
        "User-Agent": "reeve (health)",
      },
    },
    status: options.health_status,
    deadline: options.health_deadline * 1000,
  };
}

function vassalValues(
  context: DeployContext,
  instance: Instance,
  options: AppOptions,
  release: Pick<VassalValues, "environment" | "process" | "root"> & { commit: string },
): VassalValues {
  const { layout, server } = context.config;
  const appUser = userOf(context, instance.name);
  return {
    name: instance.name,
    url: placeUrl(instance.place, visitedAt(server)),
    release: isPreviewName(instance.name) ? releaseHeader(instance, release.commit) : undefined,
    sockets: layout.sockets,
    socket: socketStem(instance.name) === instance.name ? "%n" : socketStem(instance.name),
    srv: layout.srv,
    own: layout.apps,
    logs: layout.appLogs,
    environment: release.environment,
    process: release.process,
    root: release.root,
    mount: sharesHost(instance.place) ? instance.place.path.slice(0, -1) : undefined,
    webProcesses: options.web_processes,
    listen: context.listen,
    ...limitsOf(context, options),
    grace: options.grace,
    identity: context.system.isRoot
      ? { user: appUser.name, group: appUser.name, web: server.web_user }
      : undefined,
  };
}

function webOfDeploy({ id, processes }: Deploy): Process {
  const web = webOf(processes);
  if (!web)
    throw new Error(`deploy ${id} in the agent's database names nothing that answers requests`);
  return web;
}

/** A control group's are for the whole vassal; where it has none, uWSGI's own are for each process and for the user. */
function limitsOf(
  { groups: { means }, system }: DeployContext,
  { memory, max_processes: most }: AppOptions,
): Pick<VassalValues, "group" | "memory" | "maxProcesses"> {
  return {
    group: { memory: means.memory ? memory : 0, processes: means.processes ? most : 0 },
    memory: means.memory ? 0 : memory,
    maxProcesses: means.processes || !system.isRoot ? 0 : most,
  };
}

/** What a preview's answers carry; a branch whose name is not for an ini is named by its slug. */
function releaseHeader({ name, branch }: Instance, commit: string): string {
  return `${branchName.safeParse(branch).success ? branch : slugOfPreview(name)} ${commit}`;
}
