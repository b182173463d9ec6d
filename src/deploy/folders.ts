import { chmod, chown, mkdir } from "node:fs/promises";
import { isPresent } from "../host/files.ts";
import { writeSettings } from "../settings/settings.ts";
import { pathsOf, runnerOf, type DeployContext } from "./context.ts";

/** Makes an instance's folders, with their owners, or leaves those that are there. */
export async function provideFolders(context: DeployContext, instance: string): Promise<void> {
  const paths = pathsOf(context, instance);
  const runner = runnerOf(context, instance);
  for (const folder of [paths.folder, paths.releases, paths.environments, paths.own]) {
    await mkdir(folder, { recursive: true });
    await chmod(folder, 0o755);
  }
  await mkdir(paths.data, { recursive: true });
  await chmod(paths.data, 0o750);
  if (context.host.isRoot) await chown(paths.data, runner.uid, runner.gid);
  if (!(await isPresent(paths.settings)))
    await writeSettings(context.host, paths.settings, new Map(), runner);
}
