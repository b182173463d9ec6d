import type { Logger } from "pino";
import {
  instancePaths,
  optionsFile,
  repositoryPath,
  submodulesPath,
  type Instance,
  type InstancePaths,
  type Place,
} from "../../names/instance.ts";
import { appOfInstance, branchOf, isPreviewName } from "../../names/names.ts";
import { appOptions, type AppOptions } from "../../config/app-options.ts";
import type { Config } from "../../config/config.ts";
import { readOptions } from "../../config/option-table.ts";
import { mebibyte } from "../../config/server-options.ts";
import type { Installer } from "../environment/environment-commands.ts";
import type { Box } from "../../system/box.ts";
import type { ControlGroups } from "../../system/control-groups.ts";
import { withQuarantine, type GitContext } from "../../system/git.ts";
import { UserError } from "../../errors.ts";
import { readIfPresent } from "../../system/files.ts";
import type { System, Identity } from "../../system/system.ts";
import type { Limits } from "../../system/limits.ts";
import { isPortTaken } from "../../system/ports.ts";
import type { Turns } from "../../system/turns.ts";
import { choosePlace, placesOf } from "../preview/host-path-port.ts";
import { choosePreviewName } from "../preview/slug.ts";
import type { ReleaseContext } from "../release/release.ts";
import type { AgentStore } from "../store/store.ts";
import type { Emperor } from "../vassal/emperor.ts";
import type { Nginx } from "../vhost/nginx.ts";
import type { Attempts } from "./attempts.ts";
import type { BackgroundWork } from "./background-work.ts";
import type { Builders } from "../users/builders.ts";
import type { Identities } from "../users/identities.ts";
import type { HolderLocks } from "./locks.ts";
import type { Links } from "./links.ts";

/** What the agent has and every deploy works with. */
export interface DeployContext {
  config: Config;
  system: System;
  store: AgentStore;
  identities: Identities;
  builders: Builders;
  installer: Installer;
  /** The interpreter's tag, `cpython-311`. */
  abi: string;
  /** The configuration that every git of ours reads. */
  gitConfiguration: string;
  gitLimits: Limits;
  /** Of the push whose deploy is prepared: until it is accepted its commit is nowhere else. */
  quarantine?: string | undefined;
  /** uWSGI's `listen`. */
  listen: number;
  emperor: Emperor;
  /** For what the agent starts and what it puts there of the front's. */
  groups: ControlGroups;
  nginx: Nginx;
  locks: HolderLocks;
  attempts: Attempts;
  background: BackgroundWork;
  links: Links;
  /** One at a time: work in a folder of environments, changes of an options file, the judging of a holder. */
  turns: Turns;
  log: Logger;
}

export function pathsOf(context: DeployContext, instance: string): InstancePaths {
  return instancePaths(context.config.layout, instance);
}

/**
 * The user that an instance runs as. Each app has its own, and another one for its previews, to whom production's
 * files are closed.
 */
export function userOf(context: DeployContext, instance: string): Identity {
  return userOfApp(context, appOfInstance(instance), isPreviewName(instance));
}

export function userOfApp(
  { system, identities, store }: DeployContext,
  app: string,
  ofPreviews: boolean,
): Identity {
  if (!system.isRoot) return identities.front;
  const appUser = store.users.appUser(app, ofPreviews);
  if (!appUser) throw new Error(`${app} has no system user`);
  return appUser;
}

export function gitOf(context: DeployContext, app: string): GitContext {
  const git = {
    repository: repositoryPath(context.config.layout, app),
    configuration: context.gitConfiguration,
    as: context.identities.front,
    limits: context.gitLimits,
  };
  return withQuarantine(git, context.quarantine);
}

export async function optionsOf(context: DeployContext, app: string): Promise<AppOptions> {
  const path = optionsFile(context.config.layout, app);
  return readOptions(appOptions, {
    path,
    text: (await readIfPresent(path)) ?? "",
    code: "OPTION_INVALID",
  });
}

/** The instance that a ref is on the air as; a branch without a name gets one, which stays with it. */
export function instanceOf(
  context: DeployContext,
  app: string,
  ref: string,
  options: AppOptions,
): Instance {
  const branch = branchOf(ref);
  if (branch === options.production_branch) return productionInstance(context, app, options);
  const { instance, place } = context.store.previews.claim(app, branch, {
    name: (isTaken) => choosePreviewName(app, branch, isTaken),
    place: (name, current, isFree) =>
      choosePreviewPlace(context, { app, name, options }, current, isFree),
  });
  return { name: instance, app, branch, place };
}

function choosePreviewPlace(
  context: DeployContext,
  { app, name, options }: { app: string; name: string; options: AppOptions },
  current: Place | undefined,
  isFree: (place: Place) => boolean,
): Place {
  const { domain, port: serversPort } = context.config.server;
  const places = placesOf(name, domain, options);
  const isUsable = (place: Place): boolean =>
    isFree(place) && (place.port === 0 || !isPortTaken(place.port));
  const place = choosePlace(
    places.filter(({ port }) => port !== serversPort),
    current,
    isUsable,
  );
  if (place) {
    expectGrantable(context, place);
    return place;
  }
  const [first] = places;
  if (first?.port === 0) context.store.places.expectFree(name, first);
  throw new UserError(
    "PREVIEW_LIMIT",
    `none of the ports ${options.preview_ports} is free for a preview of ${app}`,
    {
      hint: `Remove a preview (reeve previews ${app}), or ask the administrator for more ports: preview_ports.`,
    },
  );
}

/** The app's own instance, at the place that the administrator's options give it. */
function productionInstance(context: DeployContext, app: string, options: AppOptions): Instance {
  const place: Place = { scheme: "http", host: appHost(context, app, options), path: "/", port: 0 };
  expectGrantable(context, place);
  return { name: app, app, branch: options.production_branch, place };
}

/** What the options say of places is judged when they are set, as far as it is known by then: `PLACE_TAKEN`. */
export function expectPlaces(context: DeployContext, app: string, options: AppOptions): void {
  const { store } = context;
  if (options.host !== "")
    store.places.expectFree(app, productionInstance(context, app, options).place);
  if (options.preview_ports !== "") expectPort(context, app, options);
  if (options.preview_host === "" || options.preview_ports !== "") return;
  // A path that no preview has: only somebody's whole host runs into it.
  const place: Place = { scheme: "http", host: options.preview_host, path: "/-/", port: 0 };
  expectGrantable(context, place);
  store.places.expectFree("", place);
}

/** At least one of the ports is a preview's of this app already, or could become one's. */
function expectPort({ config, store }: DeployContext, app: string, options: AppOptions): void {
  const { domain, port: serversPort, ssh_port: sshPort } = config.server;
  const previews = store.previews.all();
  const isUsable = ({ port }: Place): boolean => {
    if (port === serversPort || port === sshPort) return false;
    const holder = previews.find(({ place }) => place.port === port);
    return holder ? holder.app === app : !isPortTaken(port);
  };
  if (placesOf("", domain, options).some(isUsable)) return;
  throw new UserError(
    "PLACE_TAKEN",
    `none of the ports ${options.preview_ports} is free for previews of ${app}`,
    { hint: "Name others; what listens at a port is shown by: ss -ltn" },
  );
}

function appHost({ config }: DeployContext, app: string, { host }: AppOptions): string {
  return host === "" ? `${app}.${config.server.domain}` : host;
}

/** At a port of its own an instance takes nothing away from anybody. */
function expectGrantable({ config }: DeployContext, { host, port }: Place): void {
  const { domain } = config.server;
  if (port === 0 && (host === domain || host === `git.${domain}`))
    throw new UserError("PLACE_TAKEN", `${host} belongs to reeve itself`);
}

/** The variables that a deploy starts from: an app's are its own; a preview's are those that its app's options name. */
export function variablesSource(
  context: DeployContext,
  { name, app }: Instance,
  options: AppOptions,
): string {
  const { variables, previewVariables } = pathsOf(context, app);
  return isPreviewName(name) && options.preview_variables === "own" ? previewVariables : variables;
}

export function releaseContext(
  context: DeployContext,
  instance: Pick<Instance, "name" | "app">,
): ReleaseContext {
  const appUser = userOf(context, instance.name);
  const { server } = context.config;
  return {
    system: context.system,
    git: gitOf(context, instance.app),
    submodules: submodulesPath(context.config.layout, instance.app),
    paths: pathsOf(context, instance.name),
    instance: instance.name,
    python: server.python,
    gitUser: { ...context.identities.front, gid: appUser.gid },
    appUser,
    ...buildLimits(context.config),
  };
}

/** What may be used, and for how many milliseconds, by a command that works on what somebody pushed. */
export function buildLimits({ server, layout }: Config): { box: Box; deadline: number } {
  const box = {
    processes: server.build_processes,
    memory: server.build_address_space * mebibyte,
    fileSize: server.build_file_size * mebibyte,
    openFiles: server.build_open_files,
    // In reeve's own folder nothing is everybody's to write: there the modes say who may.
    writable: [layout.home],
  };
  return { box, deadline: server.build_deadline * 1000 };
}
