import { chmod, chown, mkdir, rm } from "node:fs/promises";
import { join } from "node:path";
import { optionsFile } from "../app/instance.ts";
import { appOptions } from "../config/app-options.ts";
import { readOptions, starterFile, withOption } from "../config/option-table.ts";
import { pathsOf, type DeployContext } from "../deploy/context.ts";
import { findUnderstudies } from "../deploy/understudy.ts";
import { isPresent, readIfPresent, writeAtomically } from "../host/files.ts";
import { removeTree } from "../release/release-commands.ts";
import {
  changedSettings,
  expectSettingsChange,
  readSettings,
  writeSettings,
  type SettingsChange,
} from "../settings/settings.ts";
import type { Holder } from "../store/agent-store.ts";
import { dropHeldIni, retireVassal } from "../vassal/vassal.ts";
import { removeVhost } from "../vhost/vhost.ts";
import { expectApp } from "./queries.ts";

/** Makes an app's folders and its options file, or leaves those that are there. */
export async function createApp(context: DeployContext, app: string): Promise<void> {
  const paths = pathsOf(context, app);
  for (const folder of [paths.folder, paths.releases, paths.environments]) {
    await mkdir(folder, { recursive: true });
    await chmod(folder, 0o755);
  }
  await mkdir(paths.data, { recursive: true });
  await chmod(paths.data, 0o750);
  const { apps } = context.identities;
  if (context.host.isRoot) await chown(paths.data, apps.uid, apps.gid);

  await mkdir(paths.own, { recursive: true });
  await chmod(paths.own, 0o755);
  if (!(await isPresent(paths.settings))) {
    await writeSettings(context.host, paths.settings, new Map(), apps);
  }
  const options = optionsFile(context.config.layout, app);
  if (!(await isPresent(options))) {
    await writeAtomically(
      options,
      starterFile(
        appOptions,
        `What reeve does about ${app}. Also: reeve options ${app} set NAME=VALUE`,
      ),
      0o640,
    );
  }
  context.store.createApp(app);
}

/** Takes an app off the air and removes everything that it left. The repository is the front's to remove. */
export async function destroyApp(
  context: DeployContext,
  app: string,
  holder: Holder,
): Promise<void> {
  expectApp(context, app);
  await context.locks.take(app, holder, () => undefined);
  try {
    const paths = pathsOf(context, app);
    context.settler.supersede(app);
    await context.settler.idle(app);

    await removeVhost(context.host, context.nginx, {
      available: paths.site,
      enabled: paths.siteLink,
    });
    const understudies = await findUnderstudies(context, app);
    for (const ini of [paths.ini, ...understudies.map((understudy) => understudy.ini)]) {
      if (await isPresent(ini)) await retireVassal(context.emperor, ini, 2000);
    }
    await dropHeldIni(paths.ini);
    const files = [paths.socket, paths.link, paths.log, optionsFile(context.config.layout, app)];
    for (const path of [...files, ...understudies.flatMap(({ socket, log }) => [socket, log])]) {
      await rm(path, { force: true });
    }
    await rm(paths.own, { recursive: true, force: true });
    await rm(join(context.config.layout.deployLogs, app), { recursive: true, force: true });
    for (const command of removeTree(paths.folder, context.host.isRoot))
      await context.host.run(command);
    context.store.deleteApp(app);
  } finally {
    context.locks.release(holder);
  }
}

/** Changes options in the app's file; what else stands in it stays to the letter. */
export async function setOptions(
  context: DeployContext,
  app: string,
  set: Record<string, string>,
): Promise<void> {
  expectApp(context, app);
  const path = optionsFile(context.config.layout, app);
  const before = (await readIfPresent(path)) ?? "";
  const after = Object.entries(set).reduce(
    (text, [name, value]) => withOption(appOptions, text, name, value),
    before,
  );
  readOptions(appOptions, { path, text: after, code: "OPTION_INVALID" });
  await writeAtomically(path, after, 0o640);
}

/** Changes the settings of an app that is not on the air; for one that is, the change is a deploy. */
export async function changeSettings(
  context: DeployContext,
  app: string,
  change: SettingsChange,
): Promise<void> {
  expectApp(context, app);
  expectSettingsChange(change);
  const { settings } = pathsOf(context, app);
  await writeSettings(
    context.host,
    settings,
    changedSettings(await readSettings(settings), change),
    context.identities.apps,
  );
}
