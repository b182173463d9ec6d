import { placeUrl, type Instance, type InstancePaths, type Place } from "../../app/instance.ts";
import { isUntouched } from "../../app/signature.ts";
import { isPreviewName } from "../../app/names.ts";
import type { AppOptions } from "../../config/app-options.ts";
import { listenAddresses } from "../../config/config.ts";
import { removeFile } from "../../host/files.ts";
import { writePasswords } from "../../vhost/passwords.ts";
import { installVhost, isEnabled, readVhost, removeVhost, vhostText } from "../../vhost/vhost.ts";
import { optionsOf, pathsOf, type DeployContext } from "../context.ts";
import type { Step } from "../step.ts";

/** The instance's place, and the server block that leads there. */
export const vhostStep: Step = {
  name: "vhost",
  run: async ({ context, instance, options, deploy, line }) => {
    const former = context.store.instances.get(instance.name)?.place ?? null;
    // Written down first: whoever takes it back, after a crash as well, puts this place back.
    context.store.deploys.keepFormerPlace(deploy.id, former);
    context.store.instances.place(instance);
    const done = await provideVhost(context, instance, options);
    if (done === "edited") line("  vhost        edited by hand: left as it is");
    return done === "made" || done === "changed"
      ? `${done} for ${shown(instance.place)}`
      : undefined;
  },
  undo: async (context, deploy) => {
    const former = context.store.deploys.formerPlace(deploy.id);
    if (former === undefined) return;
    const row = context.store.instances.get(deploy.instance);
    if (!row) return;
    if (former === null) {
      await removeVhost(context.host, context.nginx, row.name);
    } else {
      const options = await optionsOf(context, row.app);
      await provideVhost(context, { ...row, place: former }, options);
    }
    context.store.instances.putBack(row.name, former ? { ...row, place: former } : undefined);
  },
};

/** Brings the instance's server block to what its place asks for, unless somebody wrote it by hand. */
export async function provideVhost(
  context: DeployContext,
  instance: Instance,
  options: AppOptions,
): Promise<"made" | "changed" | "edited" | "unchanged"> {
  const { host, nginx, config } = context;
  const { name, place } = instance;
  const paths = pathsOf(context, name);
  const port = place.port === 0 ? config.server.port : place.port;
  const listen = listenAddresses(config, port);
  const text = vhostText({
    name,
    url: placeUrl(place, port),
    place,
    listen,
    standardPort: port === 80,
    socket: paths.link,
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
  await installVhost(host, nginx, vhost);
  return current === undefined ? "made" : "changed";
}

/** As much of a place as tells it from others. */
function shown({ host, path, port }: Place): string {
  return `${host}${port === 0 ? "" : `:${port}`}${path === "/" ? "" : path}`;
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
  await writePasswords(context.host, passwords, { preview: password }, context.identities.web);
  return passwords;
}
