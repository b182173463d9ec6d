import { readFile, rm } from "node:fs/promises";
import { basename, join } from "node:path";
import { UserError } from "../errors.ts";
import { findProcess, isAlive } from "../host/processes.ts";
import { waitFor } from "../host/clock.ts";
import { symlinkAtomically, writeAtomically } from "../host/files.ts";
import { sweepStaging } from "../release/release.ts";
import { dropProposedSettings } from "../settings/settings.ts";
import type { Deploy, InstanceRow } from "../store/agent-store.ts";
import { mergeLogs, releaseIni } from "../vassal/vassal.ts";
import { optionsOf, pathsOf, releaseContext, type DeployContext } from "./context.ts";
import { hasGoneThrough, judgeDeploy, recordLive, recordRefusal } from "./deploy.ts";
import { moveLinks } from "./settle.ts";
import { findUnderstudies } from "./understudy.ts";

/** How long a push that survived the agent may take to end before the agent judges it. */
const patience = 30_000;

/**
 * Puts right what a stop or a crash left half done, before the agent takes its first question.
 * The ref is the truth. Running it twice changes nothing.
 */
export async function recover(context: DeployContext): Promise<void> {
  const emperorRuns = await isEmperorRunning(context);
  for (const deploy of context.store.unfinishedDeploys()) {
    await waitFor(async () => !(await isAlive(deploy.holder)), { within: patience, every: 100 });
    if (emperorRuns) await judgeDeploy(context, deploy);
    else await judgeOnDisk(context, deploy);
  }
  for (const row of context.store.instances()) {
    await sweepStaging(releaseContext(context, row));
    // One app's broken file is not the others' trouble: its vassal starts with what is on disk.
    if (!emperorRuns)
      await settleOnDisk(context, row).catch((error: unknown) =>
        context.log.error({ err: error, instance: row.name }, "could not settle on disk"),
      );
    else if (row.live !== null && row.live !== row.settled)
      context.settler.start(row.name, row.live);
  }
}

async function judgeOnDisk(context: DeployContext, deploy: Deploy): Promise<void> {
  if (await hasGoneThrough(context, deploy)) {
    await recordLive(context, deploy);
    return;
  }
  await dropProposedSettings(pathsOf(context, deploy.instance).settings);
  recordRefusal(
    context,
    deploy,
    new UserError("REF_MOVED", `git did not move ${deploy.ref}: the server was stopped`),
  );
}

/** No vassal runs: what the Emperor will start is what the ref says, and nothing else. */
async function settleOnDisk(context: DeployContext, row: InstanceRow): Promise<void> {
  const paths = pathsOf(context, row.name);
  for (const understudy of await findUnderstudies(context, row.name)) {
    await rm(understudy.ini, { force: true });
    await rm(understudy.socket, { force: true });
    await mergeLogs(understudy.log, paths.log);
  }
  await releaseIni(paths.ini);
  await rm(paths.socket, { force: true });
  if (row.live !== null) await symlinkAtomically(paths.socket, paths.link);

  const deploy = row.live === null ? undefined : context.store.deploy(row.live);
  if (!deploy || row.settled === row.live) return;
  const options = await optionsOf(context, row.app);
  const ini = await moveLinks(context, { row, deploy, options, paths });
  if (ini.changed) await writeAtomically(paths.ini, ini.text);
  context.store.changeInstance(row.name, { settled: deploy.id, degraded: null });
  context.log.info(
    { instance: row.name, deploy: deploy.number },
    `settled ${basename(paths.ini)} before the Emperor's start`,
  );
}

async function isEmperorRunning(context: DeployContext): Promise<boolean> {
  const pid = Number(
    (await readFile(join(context.emperor.pidFile), "utf8").catch(() => "")).trim(),
  );
  return pid > 0 && (await findProcess(pid)) !== undefined;
}
