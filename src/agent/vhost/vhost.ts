import { readFileSync } from "node:fs";
import { readdir } from "node:fs/promises";
import { dirname, join, relative } from "node:path";
import Handlebars from "handlebars";
import { sharesHost, type Place } from "../../names/instance.ts";
import { isUntouched, sign } from "../../system/signature.ts";
import { programRoot } from "../../config/config.ts";
import { hasCode, UserError } from "../../errors.ts";
import { isPresent, readIfPresent } from "../../system/files.ts";
import { CommandFailed, type System } from "../../system/system.ts";
import { FileChanges } from "./file-changes.ts";
import { reloadNginx, testNginx, type Nginx, type SiteFolders } from "./nginx.ts";

export interface VhostValues {
  name: string;
  url: string;
  place: Place;
  /** Addresses with their port. */
  listen: string[];
  /** What the app is told of the visitor, in variables of nginx's. */
  hostHeader: string;
  scheme: string;
  socket: string;
  accessLog: string;
  /** Whether the app may set cookies for its siblings. */
  anyCookieDomain: boolean;
  preview: { passwords: string | undefined } | undefined;
  /** Matches the administrator's own file, and nothing where there is none. */
  localPattern: string;
}

interface SharedHostValues {
  host: string;
  listen: string[];
  /** The folder whose files the server block includes. */
  locations: string;
}

// nginx's configuration knows no HTML: every value here has passed a grammar.
const compiling = { noEscape: true, strict: true };
for (const part of ["proxy", "preview"]) Handlebars.registerPartial(part, source(part));
const vhostTemplate = Handlebars.compile<VhostValues>(source("vhost"), compiling);
const locationTemplate = Handlebars.compile<VhostValues>(source("location"), compiling);
const sharedHostTemplate = Handlebars.compile<SharedHostValues>(source("shared-host"), compiling);

function source(name: string): string {
  return readFileSync(join(programRoot, "templates", `${name}.conf.hbs`), "utf8");
}

/** An instance's server block; or its location, where it does not have its host for itself. */
export function vhostText(values: VhostValues): string {
  const template = sharesHost(values.place) ? locationTemplate : vhostTemplate;
  return sign(template(values));
}

function sharedHostText(values: SharedHostValues): string {
  return sign(sharedHostTemplate(values));
}

/** What nginx finds of an instance. */
export interface Vhost extends Pick<VhostValues, "name" | "place" | "listen"> {
  text: string;
}

/** The text that stands there; undefined where there is none. */
export function readVhost({ sites }: Nginx, name: string): Promise<string | undefined> {
  return readIfPresent(siteOf(sites, name));
}

/** Whether nginx finds the instance where its place is, and nowhere else. */
export async function isEnabled({ sites }: Nginx, vhost: Vhost): Promise<boolean> {
  const links = await linksOf(sites, vhost.name);
  const isHostThere =
    !sharesHost(vhost.place) ||
    (await isPresent(join(sites.enabled, sharedHostFile(vhost.place.host))));
  return isHostThere && links.length === 1 && links[0] === linkOf(sites, vhost);
}

/** Puts an instance's vhost in place, or leaves the former one untouched: `VHOST_REJECTED`. */
export async function installVhost(system: System, nginx: Nginx, vhost: Vhost): Promise<void> {
  const { sites } = nginx;
  await nginx.turns.run(nginx.configuration, async () => {
    const changes = new FileChanges();
    try {
      await changes.write(siteOf(sites, vhost.name), vhost.text);
      if (sharesHost(vhost.place)) await provideSharedHost(changes, sites, vhost);
      const link = linkOf(sites, vhost);
      for (const former of await linksOf(sites, vhost.name))
        if (former !== link) await changes.remove(former);
      await changes.link(relative(dirname(link), siteOf(sites, vhost.name)), link);
      await sweepSharedHosts(changes, sites);
      await system.run(testNginx(nginx));
      await reloadNginx(system, nginx);
    } catch (error) {
      await changes.takeBack();
      if (!(error instanceof CommandFailed)) throw error;
      throw new UserError("VHOST_REJECTED", `nginx refuses its configuration:\n${error.output}`, {
        cause: error,
      });
    }
  });
}

/**
 * Takes an instance's vhost away; what nginx serves for others does not change. nginx is told also where
 * nothing is left to take away: whoever did that may not have come to tell it.
 */
export async function removeVhost(system: System, nginx: Nginx, name: string): Promise<void> {
  const { sites } = nginx;
  await nginx.turns.run(nginx.configuration, async () => {
    const changes = new FileChanges();
    for (const link of await linksOf(sites, name)) await changes.remove(link);
    await changes.remove(siteOf(sites, name));
    await sweepSharedHosts(changes, sites);
    await reloadNginx(system, nginx).catch((error: unknown) => {
      // One that does not run will start without it.
      if (!hasCode(error, "NGINX_DOWN")) throw error;
    });
  });
}

export function siteOf({ available }: SiteFolders, name: string): string {
  return join(available, `${name}.conf`);
}

/** By this link nginx finds it: among all sites, or among the locations of a host. */
function linkOf(sites: SiteFolders, { name, place }: Vhost): string {
  return sharesHost(place)
    ? join(sites.sharedHosts, place.host, `${name}.conf`)
    : join(sites.enabled, `${name}.conf`);
}

/** All links that lead to an instance, also those of a place that it had before. */
async function linksOf({ enabled, sharedHosts }: SiteFolders, name: string): Promise<string[]> {
  const hosts = (await readdir(sharedHosts)).map((shared) => join(sharedHosts, shared));
  const links = [enabled, ...hosts].map((folder) => join(folder, `${name}.conf`));
  const there = await Promise.all(links.map(isPresent));
  return links.filter((_, index) => there[index]);
}

/** No instance's name holds a dot. */
function sharedHostFile(host: string): string {
  return `shared-host.${host}.conf`;
}

async function provideSharedHost(
  changes: FileChanges,
  sites: SiteFolders,
  { place: { host }, listen }: Vhost,
): Promise<void> {
  const file = sharedHostFile(host);
  const locations = join(sites.sharedHosts, host);
  await changes.makeFolder(locations);
  const site = join(sites.available, file);
  const current = await readIfPresent(site);
  if (current === undefined || isUntouched(current))
    await changes.write(site, sharedHostText({ host, listen, locations }));
  await changes.link(relative(sites.enabled, site), join(sites.enabled, file));
}

/** A shared host goes with the last instance there. */
async function sweepSharedHosts(changes: FileChanges, sites: SiteFolders): Promise<void> {
  for (const host of await readdir(sites.sharedHosts)) {
    const locations = join(sites.sharedHosts, host);
    if ((await readdir(locations)).length > 0) continue;
    for (const folder of [sites.enabled, sites.available])
      await changes.remove(join(folder, sharedHostFile(host)));
    await changes.removeFolder(locations);
  }
}
