import { chmod, mkdir, readdir, readlink, rmdir } from "node:fs/promises";
import { dirname, join, resolve } from "node:path";
import { hasCode } from "../../errors.ts";
import { socketBehind, socketStem } from "../../names/instance.ts";
import { isPresent, removeFile, symlinkAtomically, writeAtomically } from "../../system/files.ts";
import { changed, isUntouched } from "../../system/signature.ts";
import { printNginx, runningNginx } from "../vhost/nginx.ts";
import { readVhost, siteOf } from "../vhost/vhost.ts";
import { pathsOf, type DeployContext } from "../world/context.ts";

/**
 * nginx opened `lib/sockets/NAME.sock` once, a link to the socket itself. It becomes one to what nginx opens today, and
 * the server blocks that reeve wrote name that from now on; nginx is yet to be told. Those that somebody edited go on
 * naming the former path, which stays for as long as it may be opened. Whatever a stop leaves undone, the next start does.
 */
export async function takeFormerLinks(context: DeployContext): Promise<void> {
  const { store, log } = context;
  const { state, links } = context.config.layout;
  const folder = join(state, "sockets");
  if (!(await isPresent(folder))) return;
  // An agent that is started alone, with what ran before it still there, finds none.
  await mkdir(links, { recursive: true });
  await chmod(links, 0o755);
  const failed = (what: string, instance?: string) => (error: unknown) =>
    log.error({ err: error, instance }, `could not ${what}`);
  // One app's trouble is not the others'.
  for (const { name } of store.instances.all())
    await takeFormerLink(context, name, join(folder, `${socketStem(name)}.sock`)).catch(
      failed("take over the former link", name),
    );
  await removeUnnamed(context, folder).catch(failed("remove former links"));
}

async function takeFormerLink(context: DeployContext, name: string, former: string): Promise<void> {
  const { links, nginx } = context;
  const { link } = pathsOf(context, name);
  const present = socketBehind(link);
  const target = await readlink(former).catch(unlessAbsent);
  if (target !== undefined && target !== present) {
    await links.point(link, resolve(dirname(former), target));
    await symlinkAtomically(present, former);
  }
  const text = await readVhost(nginx, name);
  if (text === undefined || !isUntouched(text) || !text.includes(former)) return;
  const renamed = changed(text, (block) => block.replaceAll(former, present));
  await writeAtomically(siteOf(nginx.sites, name), renamed);
}

/** Where nginx runs, workers with the former configuration may have requests that they are yet to hand on. */
async function removeUnnamed({ system, nginx }: DeployContext, folder: string): Promise<void> {
  if ((await runningNginx(nginx)) !== undefined) return;
  const configuration = await system.run(printNginx(nginx));
  for (const file of await readdir(folder)) {
    const former = join(folder, file);
    if (!configuration.includes(former)) await removeFile(former);
  }
  await rmdir(folder).catch(unlessAbsent);
}

/** A folder that is still of use is not to be removed either. */
function unlessAbsent(error: unknown): undefined {
  if (!hasCode(error, "ENOENT", "ENOTEMPTY")) throw error;
}
