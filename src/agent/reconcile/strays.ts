import { lstat, readdir } from "node:fs/promises";
import { join } from "node:path";
import { socketStem } from "../../names/instance.ts";
import { parseVassalName } from "../../names/vassal.ts";
import { removeFile } from "../../system/files.ts";
import { pathsOf, type DeployContext } from "../world/context.ts";
import { linkFolders } from "../world/links.ts";

/** Milliseconds after which a file that was to be renamed is nobody's any more. */
const forgotten = 60_000;

/** What a crash left in the folders that all instances share, and half written in an instance's own. */
export async function removeStrays(
  context: DeployContext,
  atStart: boolean,
  did: (name: string, what: string) => void,
): Promise<void> {
  const { layout } = context.config;
  const { store } = context;
  const names = [
    ...store.instances.all().map(({ name }) => name),
    ...store.previews.all().map(({ instance }) => instance),
  ];
  const known = new Set([...names, ...names.map(socketStem)]);
  const own = names.flatMap((name) => {
    const { folder, staging, link } = pathsOf(context, name);
    return [folder, staging, ...linkFolders(link)];
  });
  const hosts = await readdir(layout.sharedHosts).catch(() => []);
  const shared = [
    ...[layout.vassals, layout.sitesAvailable, layout.sitesEnabled, layout.links],
    ...hosts.map((host) => join(layout.sharedHosts, host)),
  ];
  for (const folder of [...shared, layout.apps, layout.sockets, layout.appLogs, ...own]) {
    for (const name of await readdir(folder).catch(() => [])) {
      const ofVassal = parseVassalName(name);
      const isStray = /^\..+\.tmp$/.test(name)
        ? atStart || (await isForgotten(join(folder, name)))
        : ofVassal?.role === "understudy" && !known.has(ofVassal.stem);
      if (!isStray) continue;
      await removeFile(join(folder, name));
      did(name, "left over, removed");
    }
  }
}

async function isForgotten(path: string): Promise<boolean> {
  const found = await lstat(path).catch(() => undefined);
  return found !== undefined && Date.now() - found.mtimeMs > forgotten;
}
