import {
  placeUrl,
  socketBehind,
  visitedThere,
  type Instance,
  type InstancePaths,
  type Place,
} from "../../names/instance.ts";
import { isPreviewName } from "../../names/names.ts";
import { isUntouched } from "../../system/signature.ts";
import type { AppOptions } from "../../config/app-options.ts";
import { listenAddresses } from "../../config/config.ts";
import type { ServerOptions } from "../../config/server-options.ts";
import { hostAt, visitedAt } from "../../config/visited.ts";
import { removeFile } from "../../system/files.ts";
import { writePasswords } from "../vhost/passwords.ts";
import { installVhost, isEnabled, readVhost, vhostText, type VhostValues } from "../vhost/vhost.ts";
import { pathsOf, type DeployContext } from "../world/context.ts";

/** Brings the instance's server block to what its place asks for, unless somebody wrote it by hand. */
export async function provideVhost(
  context: DeployContext,
  instance: Instance,
  options: AppOptions,
): Promise<"made" | "changed" | "edited" | "unchanged"> {
  const { system, nginx, config } = context;
  const { name, place } = instance;
  const paths = pathsOf(context, name);
  const port = place.port === 0 ? config.server.port : place.port;
  const listen = listenAddresses(config, port);
  const text = vhostText({
    name,
    url: placeUrl(place, visitedAt(config.server)),
    place,
    listen,
    ...visitorsWords(config.server, place),
    socket: socketBehind(paths.link),
    accessLog: paths.accessLog,
    anyCookieDomain: options.cookie_domain === "any",
    preview: isPreviewName(name)
      ? { passwords: await providePasswords(context, paths, options) }
      : undefined,
    localPattern: paths.vhostLocal.replace(/f$/, "[f]"),
  });
  const current = await readVhost(nginx, name);
  if (current !== undefined && !isUntouched(current)) return "edited";
  const vhost = { name, place, listen, text };
  if (current === text && (await isEnabled(nginx, vhost))) return "unchanged";
  await installVhost(system, nginx, vhost);
  return current === undefined ? "made" : "changed";
}

/** Where the variables come from: templates/nginx.conf.hbs. */
function visitorsWords(
  server: ServerOptions,
  place: Place,
): Pick<VhostValues, "hostHeader" | "scheme"> {
  const isBehind = server.trusted_proxies !== "";
  const host = hostAt("$host", visitedThere(place, visitedAt(server)));
  const ownPort = place.port === 0 ? server.port : place.port;
  // As people write it, who may take the block over by hand.
  const direct = host === `$host:${ownPort}` ? "$host:$server_port" : host;
  return {
    hostHeader: isBehind && place.port === 0 ? "$host$reeve_port" : direct,
    scheme: isBehind ? "$reeve_scheme" : "$scheme",
  };
}

/** The file of a preview's password, where the app's options want one. */
async function providePasswords(
  context: DeployContext,
  { passwords }: InstancePaths,
  { preview_password: password }: AppOptions,
): Promise<string | undefined> {
  if (password === "") {
    await removeFile(passwords);
    return undefined;
  }
  await writePasswords(context.system, passwords, { preview: password }, context.identities.web);
  return passwords;
}
