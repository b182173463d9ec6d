import { lstat } from "node:fs/promises";
import { isPreviewName } from "../app/names.ts";
import { isPresent } from "../host/files.ts";
import type { Command } from "../host/host.ts";
import { provideLog } from "../vassal/app-log.ts";
import { pathsOf, runnerOf, runnerOfApp, type DeployContext } from "./context.ts";

/**
 * Gives what an instance has on disk to its own system user, where it belongs to another one: to the user that
 * all apps once shared, or to a number that another machine did not have free. Resolves to whether it had to.
 * The folder of its data is changed last, so that a stop in between is made good by doing it again.
 */
export async function handOver(context: DeployContext, instance: string): Promise<boolean> {
  const { host } = context;
  if (!host.isRoot) return false;
  const paths = pathsOf(context, instance);
  const runner = runnerOf(context, instance);
  const owner = (await lstat(paths.data).catch(() => undefined))?.uid;
  if (owner === undefined || owner === runner.uid) return false;

  const previews = isPreviewName(instance) ? runner : runnerOfApp(context, instance, true);
  const sealed: [path: string, group: number][] = [
    [paths.releases, runner.gid],
    [paths.environments, runner.gid],
    [paths.settings, runner.gid],
    [paths.previewSettings, previews.gid],
  ];
  // What these hold is made anew by the next deploy that wants it.
  await host.run(removal([paths.staging, `${paths.environments}/.cache`]));
  for (const [path, gid] of sealed) if (await isPresent(path)) await host.run(seal(path, gid));
  if (await isPresent(paths.requirements))
    await host.run({ file: "chmod", args: ["0640", "--", paths.requirements] });
  if (await isPresent(paths.log)) await provideLog(paths.log, runner, true);
  await host.run(giveData(paths.data, `${runner.uid}:${runner.gid}`));
  return true;
}

function removal(paths: string[]): Command {
  return { file: "rm", args: ["-rf", "--one-file-system", "--", ...paths] };
}

function seal(path: string, gid: number): Command {
  return { file: "chown", args: ["-hR", `0:${gid}`, "--", path] };
}

/** A file with a second name may be another app's as well, from the time of the shared user: it stays whose it was. */
function giveData(path: string, owner: string): Command {
  const own = ["(", "-type", "d", "-o", "-links", "1", ")"];
  return {
    file: "find",
    args: [path, "-xdev", "-depth", ...own, "-exec", "chown", "-h", owner, "{}", "+"],
  };
}
