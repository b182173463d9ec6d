import { lstat, readdir, readFile, rename } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { parseVassalName } from "../../names/vassal.ts";
import { writeAtomically } from "../../system/files.ts";
import { changed } from "../../system/signature.ts";
import type { DeployContext } from "../world/context.ts";

/** A folder of variables as it was called once: an instance's own or its previews', and what a deploy had beside it. */
const formerFolder = /^(preview-|)settings(\.former|\.coming|\.next-\d{1,9}|)$/;

/**
 * Variables were called settings once: the folders that a server of that time has, and the inis that name them, get
 * today's names, before anything looks for them. Whatever a stop leaves undone, the next start does.
 */
export async function renameFormerSettings({ config, log }: DeployContext): Promise<void> {
  const { apps, vassals } = config.layout;
  const own = (await readdir(apps, { withFileTypes: true })).filter((one) => one.isDirectory());
  const inis = (await readdir(vassals, { withFileTypes: true })).filter((one) => one.isFile());
  for (const { name } of own) {
    try {
      await renameFolders(join(apps, name));
      for (const ini of inis.filter((one) => instanceOf(one.name) === name))
        await renameInIni(join(vassals, ini.name), apps);
    } catch (error) {
      // One app's trouble is not the others'.
      log.error({ err: error, instance: name }, "could not rename what was called settings");
    }
  }
}

/** The folder is root's own. One rename each: where variables lie already, it is refused. */
async function renameFolders(own: string): Promise<void> {
  for (const name of await readdir(own)) {
    const present = presentName(name);
    if (present !== undefined) await rename(join(own, name), join(own, present));
  }
}

function presentName(name: string): string | undefined {
  return formerFolder.test(name) ? name.replace(formerFolder, "$1variables$2") : undefined;
}

/** By the name of the ini of any of its vassals, also of one that is held. */
function instanceOf(file: string): string | undefined {
  const [, stem] = /^(.+)\.ini(?:\.held)?$/.exec(file) ?? [];
  return stem && (parseVassalName(stem)?.stem ?? stem);
}

/**
 * Nothing in it but the name; one that somebody edited is so still. It keeps its time, by which the Emperor tells what
 * it has to start anew: what runs has read its variables already.
 */
async function renameInIni(path: string, apps: string): Promise<void> {
  const { mode, mtimeMs } = await lstat(path);
  const text = await readFile(path, "utf8");
  const present = changed(text, (former) => withPresentNames(former, apps));
  if (present === text) return;
  const modified = Math.floor(mtimeMs / 1000);
  await writeAtomically(path, present, { mode: mode & 0o777, modified });
}

function withPresentNames(ini: string, apps: string): string {
  return ini
    .replace(/^; The settings (?=and what reeve says of the release,)/m, "; The variables ")
    .replace(/^([ \t]*envdir[ \t]*=[ \t]*)(\S+)/gm, (line, key: string, folder: string) => {
      const present = presentName(basename(folder));
      if (present === undefined || dirname(dirname(folder)) !== apps) return line;
      return `${key}${join(dirname(folder), present)}`;
    });
}
