import { readFileSync } from "node:fs";
import { rm } from "node:fs/promises";
import { basename, join } from "node:path";
import Handlebars from "handlebars";
import type { Place } from "../app/instance.ts";
import { sign } from "../app/signature.ts";
import { programRoot } from "../config/config.ts";
import { UserError } from "../errors.ts";
import { isPresent, readIfPresent, symlinkAtomically, writeAtomically } from "../host/files.ts";
import { CommandFailed, type Host } from "../host/host.ts";
import { reloadNginx, testNginx, type Nginx } from "./nginx.ts";

export interface VhostValues {
  name: string;
  url: string;
  place: Place;
  /** Addresses with their port. */
  listen: string[];
  standardPort: boolean;
  socket: string;
  preview: { passwords: string | undefined } | undefined;
  /** Matches the administrator's own file, and nothing where there is none. */
  localPattern: string;
}

const template = Handlebars.compile<VhostValues>(
  readFileSync(join(programRoot, "templates", "vhost.conf.hbs"), "utf8"),
  // nginx's configuration knows no HTML: every value here has passed a grammar.
  { noEscape: true, strict: true },
);

export function vhostText(values: VhostValues): string {
  return sign(template(values));
}

interface Site {
  available: string;
  enabled: string;
}

/** Puts a server block in place, or leaves the former one untouched: `VHOST_REJECTED`. */
export async function installVhost(
  host: Host,
  nginx: Nginx,
  site: Site,
  text: string,
): Promise<void> {
  await nginx.turns.run(nginx.configuration, async () => {
    const former = {
      text: await readIfPresent(site.available),
      enabled: await isPresent(site.enabled),
    };
    try {
      await writeAtomically(site.available, text);
      if (!former.enabled)
        await symlinkAtomically(`../sites-available/${basename(site.available)}`, site.enabled);
      await host.run(testNginx(nginx));
      await reloadNginx(host, nginx);
    } catch (error) {
      await putBack(site, former);
      if (!(error instanceof CommandFailed)) throw error;
      throw new UserError("VHOST_REJECTED", `nginx refuses its configuration:\n${error.output}`, {
        cause: error,
      });
    }
  });
}

/** Takes a server block away; what nginx serves for others does not change. */
export async function removeVhost(host: Host, nginx: Nginx, site: Site): Promise<void> {
  await nginx.turns.run(nginx.configuration, async () => {
    if (!(await isPresent(site.available)) && !(await isPresent(site.enabled))) return;
    await putBack(site, { text: undefined, enabled: false });
    await reloadNginx(host, nginx).catch((error: unknown) => {
      // One that does not run will start without it.
      if (!(error instanceof UserError && error.code === "NGINX_DOWN")) throw error;
    });
  });
}

interface FormerVhost {
  text: string | undefined;
  enabled: boolean;
}

async function putBack(site: Site, former: FormerVhost): Promise<void> {
  if (!former.enabled) await rm(site.enabled, { force: true });
  if (former.text === undefined) await rm(site.available, { force: true });
  else await writeAtomically(site.available, former.text);
}
