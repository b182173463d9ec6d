import { createHash } from "node:crypto";
import { join } from "node:path";
import type { Layout } from "../config/layout.ts";
import { hostAt, type Visited } from "../config/visited.ts";
import { appOfInstance, isPreviewName } from "./names.ts";

/** What is on the air under a name: the app itself, or one preview of it. */
export interface Instance {
  name: string;
  app: string;
  branch: string;
  place: Place;
}

/** Where an instance answers. Granted by the administrator, never by the repository. */
export interface Place {
  scheme: "http" | "https";
  host: string;
  /** Begins and ends with a slash; another one than `/` where several instances share the host. */
  path: string;
  /** Of this instance alone; 0: the one at which all answer. */
  port: number;
}

/** Everything of one instance on disk. */
export interface InstancePaths {
  folder: string;
  app: string;
  env: string;
  requirements: string;
  data: string;
  releases: string;
  /** The app's own; or the one folder of all its previews, apart from what production runs with. */
  environments: string;
  staging: string;
  /** The administrator's and the server's words about the instance: options, variables, local files. */
  own: string;
  variables: string;
  /** Of an app: what its previews get in place of its variables. */
  previewVariables: string;
  /** Of a preview: who may look at it (nginx's `auth_basic_user_file`). */
  passwords: string;
  vassalLocal: string;
  vhostLocal: string;
  log: string;
  /** Where nginx writes a line of JSON for each request. */
  accessLog: string;
  /** Leads to a folder with what nginx opens: one rename moves all of it. */
  link: string;
}

export function instancePaths(layout: Layout, name: string): InstancePaths {
  const folder = join(layout.srv, name);
  const own = join(layout.apps, name);
  return {
    folder,
    app: join(folder, "app"),
    env: join(folder, "env"),
    requirements: join(folder, "requirements.txt"),
    data: join(folder, "data"),
    releases: join(folder, "releases"),
    environments: isPreviewName(name)
      ? join(layout.srv, appOfInstance(name), "preview-envs")
      : join(folder, "envs"),
    staging: join(folder, ".staging"),
    own,
    variables: join(own, "variables"),
    previewVariables: join(own, "preview-variables"),
    passwords: join(own, "passwords"),
    vassalLocal: join(own, "vassal.local.ini"),
    vhostLocal: join(own, "vhost.local.conf"),
    log: join(layout.appLogs, `${name}.log`),
    accessLog: join(layout.appLogs, `${name}.access.jsonl`),
    link: join(layout.links, socketStem(name)),
  };
}

/** What nginx opens for each connection: leads to the socket of the vassal that has the traffic. */
export function socketBehind(link: string): string {
  return join(link, "socket");
}

/** As long as the longest name of an app: with it every socket's path fits (src/config/layout.ts). */
const longestStem = 30;

/**
 * What an instance's sockets are called. A preview's name may be longer than a socket's path allows; then a
 * hash takes the place of its end, behind a dot, which no instance's own name holds.
 */
export function socketStem(name: string): string {
  return shortened(name, longestStem, ".");
}

/** useradd(8) takes 32 characters; the last ones are for a number, where somebody else has the name already. */
const longestUserName = 28;

/** What the system user is called that an app runs as, or its previews: `reeve-demo`, `reeve-demo-preview`. */
export function appUserName(app: string, ofPreviews: boolean): string {
  return shortened(`reeve-${app}${ofPreviews ? "-preview" : ""}`, longestUserName, "-");
}

const hashLength = 12;

function shortened(name: string, longest: number, mark: string): string {
  if (name.length <= longest) return name;
  const hash = createHash("sha256").update(name).digest("hex").slice(0, hashLength);
  return `${name.slice(0, longest - hashLength - 1)}${mark}${hash}`;
}

export function releasePath(paths: InstancePaths, commit: string): string {
  return join(paths.releases, commit);
}

export function environmentPath(paths: InstancePaths, hash: string): string {
  return join(paths.environments, hash);
}

export function optionsFile(layout: Layout, app: string): string {
  return join(layout.apps, `${app}.toml`);
}

export function repositoryPath(layout: Layout, app: string): string {
  return join(layout.repositories, `${app}.git`);
}

/** What was fetched for an app's commits, beside its repository. */
export function submodulesPath(layout: Layout, app: string): string {
  return join(layout.submodules, app);
}

export function deployLogPath(layout: Layout, app: string, number: number): string {
  return join(layout.deployLogs, app, `${number}.log`);
}

/** The address to give to people. */
export function placeUrl(place: Place, visited: Visited): string {
  const { scheme } = visitedThere(place, visited);
  return `${scheme}://${placeHost(place, visited)}${place.path}`;
}

/** What a browser says as its `Host` there. */
export function placeHost(place: Place, visited: Visited): string {
  return hostAt(place.host, visitedThere(place, visited));
}

/** At a port of its own an instance is visited as it is: what stands in front of the server does not know of it. */
export function visitedThere({ scheme, port }: Place, visited: Visited): Visited {
  return port === 0 ? visited : { scheme, port };
}

export function isSamePlace(one: Place, other: Place): boolean {
  return (
    one.scheme === other.scheme &&
    one.host === other.host &&
    one.path === other.path &&
    one.port === other.port
  );
}

/** Whether a path tells the instance from others at the same host, which then have a server block in common. */
export function sharesHost({ path }: Place): boolean {
  return path !== "/";
}

/** The path at which something of the instance is asked, `/` being its own beginning. */
export function pathUnder(place: Place, path: string): string {
  return `${place.path.slice(0, -1)}${path}`;
}
