import { basename, join } from "node:path";
import { hasCode } from "../../errors.ts";
import { milliseconds, sleep, waitFor } from "../../system/clock.ts";
import { kindOf, readIfPresent, removeFile, writeAtomically } from "../../system/files.ts";
import { ask, type ProbeResponse, type ProbeRequest } from "../../system/probe.ts";
import {
  catchesHangup,
  childrenOf,
  findProcess,
  isAlive,
  isStopped,
  ownerOf,
  programOf,
  straysOf,
  titleOf,
  type ProcessId,
} from "../../system/processes.ts";
import { lengthOfLog } from "./app-log.ts";
import { wasCutShort } from "./exceptions.ts";
import type { GroupName } from "../../system/control-groups.ts";
import { findVassal, groupsOf, pidOf, wakeEmperor, type Emperor } from "./emperor.ts";

/**
 * Writes the ini, newer than anything the Emperor has seen of it, and wakes the Emperor. Where there is none,
 * the ini is written all the same, for the next one: `EMPEROR_DOWN`.
 */
export async function installIni(emperor: Emperor, ini: string, text: string): Promise<void> {
  const seen = await findVassal(emperor, basename(ini)).catch(() => undefined);
  await putIni(emperor, ini, { text, newerThan: seen?.last_mod ?? 0 });
}

/**
 * `newerThan`: the seconds of what the Emperor has seen; 0 for a name that is new to it. `lasting: false`: no start of
 * the machine brings it back.
 */
export async function putIni(
  emperor: Emperor,
  ini: string,
  { text, newerThan, lasting }: { text: string; newerThan: number; lasting?: false },
): Promise<void> {
  const written = writeAtomically(ini, text, {
    modified: secondsAfter(newerThan),
    ...(lasting === false && { lasting }),
  });
  await wakeEmperor(emperor, written);
}

export type Health = { healthy: true; status: number } | { healthy: false; problem: string };

export interface HealthCheck {
  request: Omit<ProbeRequest, "socketPath" | "within" | "signal">;
  /** The one status that is healthy, or 0: any but 400 and those from 500 on. */
  status: number;
  /** Milliseconds for the boot and the answer together. */
  deadline: number;
}

/**
 * Waits for a vassal to boot and asks it whether it is well. A boot that fails is known at once, because
 * the Emperor curses a vassal that dies without ever having been ready (`need-app`, exit code 22). Where the
 * Emperor itself is gone: `EMPEROR_DOWN`.
 */
export async function proveHealthy(
  emperor: Emperor,
  { ini, socket, log }: { ini: string; socket: string; log: string },
  check: HealthCheck,
  cancelled?: AbortSignal,
): Promise<Health> {
  const end = milliseconds() + check.deadline;
  const died = new AbortController();
  const hasDied = (): boolean => {
    if (died.signal.aborted && died.signal.reason !== itDied) throw died.signal.reason;
    return died.signal.aborted;
  };
  const ended = cancelled ? AbortSignal.any([died.signal, cancelled]) : died.signal;
  const watch = watchForDeath(emperor, basename(ini), died);
  try {
    for (;;) {
      cancelled?.throwIfAborted();
      const left = end - milliseconds();
      if (hasDied()) return { healthy: false, problem: "the app did not start" };
      if (left <= 0)
        return { healthy: false, problem: `no answer within ${check.deadline / 1000} s` };
      if ((await kindOf(socket)) !== "socket") {
        await sleep(2);
        continue;
      }
      const from = await lengthOfLog(log);
      const answer = await ask({
        ...check.request,
        socketPath: socket,
        within: left,
        signal: ended,
      });
      if ("status" in answer && isHealthy(answer.status, check.status)) {
        const findWorkers = (): Promise<ProcessId[]> => workersOfVassal(emperor, ini);
        return (await wasCutShort(answer, { path: log, from }, findWorkers))
          ? { healthy: false, problem: raisedAfter(answer.status, check.request.path) }
          : { healthy: true, status: answer.status };
      }
      if ("failure" in answer && answer.failure === "nobody listens") {
        await sleep(2);
        continue;
      }
      cancelled?.throwIfAborted();
      // A boot that fails closes what is open. The Emperor says so in time: that it died, or that it takes requests.
      const isKnown = async (): Promise<boolean> =>
        hasDied() || ("failure" in answer && (await isReady(emperor, ini)));
      await waitFor(isKnown, { within: "failure" in answer ? knownWithin : 2 * deathEvery });
      const problem = hasDied() ? undefined : problemOf(answer, check.request.path);
      if (problem !== undefined) return { healthy: false, problem };
    }
  } finally {
    watch.stop();
  }
}

/** Whether it has ever come so far that it takes requests, as it tells the Emperor itself. */
async function isReady(emperor: Emperor, ini: string): Promise<boolean> {
  const status = await findVassal(emperor, basename(ini)).catch(() => undefined);
  return status !== undefined && status.accepting > 0;
}

/** What is wrong with an answer; undefined where it only means "not yet". */
function problemOf(answer: ProbeResponse, path: string): string | undefined {
  if ("status" in answer)
    return answer.status === 503 ? undefined : `GET ${path} answered ${answer.status}`;
  // uWSGI closes the connection when an app raises before it has answered; a visitor would see 502.
  return answer.failure === "cut off"
    ? `GET ${path} got no answer: the app failed on it`
    : undefined;
}

function raisedAfter(status: number, path: string): string {
  return `GET ${path} began with ${status}, and the app failed before the answer was whole`;
}

function isHealthy(status: number, wanted: number): boolean {
  return wanted === 0 ? status !== 400 && status < 500 : status === wanted;
}

/** Milliseconds: most boots are over before the first look, which costs as much as there are vassals. */
const deathEvery = 50;

/** Milliseconds for the Emperor to say what became of a boot; on a machine that has much else to do it takes long. */
const knownWithin = 5000;

const itDied = Symbol("died");

function watchForDeath(emperor: Emperor, id: string, died: AbortController): { stop: () => void } {
  let watching = true;
  const look = async (): Promise<void> => {
    let master: ProcessId | undefined;
    let seen = false;
    while (watching) {
      await sleep(deathEvery);
      // The Emperor's answer costs as much as there are vassals: while this one lives, none is due.
      if (master && (await isAlive(master))) continue;
      const status = await findVassal(emperor, id);
      // One that the Emperor has started anew has died as well.
      const isAnother = master !== undefined && status?.pid !== master.pid;
      if (status ? status.cursed > 0 || isAnother : seen) died.abort(itDied);
      seen ||= status !== undefined;
      master = status && (await findProcess(status.pid));
    }
  };
  // An Emperor that is gone cannot boot anything either, which is no fault of the app's; nor that nobody could look.
  look().catch((error: unknown) => died.abort(error));
  return { stop: () => (watching = false) };
}

export interface Waiting {
  /** Milliseconds. */
  within: number;
  /** Throws where nobody wants the answer any more. */
  goOn: () => void;
}

/** Waits until every worker would hear a stop. Resolves to whether they do, in time. */
export async function steady(
  emperor: Emperor,
  ini: string,
  { within, goOn }: Waiting,
): Promise<boolean> {
  const look = async (): Promise<"steady" | "dead" | undefined> => {
    goOn();
    // An Emperor that is started again brings the vassal back, and who cannot look now can a moment later.
    return lookSteady(emperor, ini).catch(() => undefined);
  };
  return (await waitFor(look, { within, every: 20 })) === "steady";
}

async function lookSteady(emperor: Emperor, ini: string): Promise<"steady" | "dead" | undefined> {
  const status = await findVassal(emperor, basename(ini));
  if (status && status.cursed > 0) return "dead";
  if (!status || status.accepting === 0) return undefined;
  const workers = await workersOf(status.pid);
  const hear = await Promise.all(workers.map((worker) => catchesHangup(worker.pid)));
  return workers.length > 0 && hear.every(Boolean) ? "steady" : undefined;
}

/**
 * Stops a vassal and keeps its ini, which may be somebody's own, under a name the Emperor ignores. Running
 * requests have `grace` milliseconds to finish. Resolves to how many processes had to be killed.
 */
export async function holdVassal(emperor: Emperor, ini: string, grace: number): Promise<number> {
  const text = await readIfPresent(ini);
  // Somebody may have removed it a moment ago: the Emperor runs the vassal until it notices, and then stops it.
  if (text !== undefined) await writeAtomically(heldOf(ini), text);
  if (grace > 0) return retireVassal(emperor, ini, grace);
  await discardVassal(emperor, ini);
  return 0;
}

/** The vassal's ini, also while it is held. */
export async function readIni(ini: string): Promise<string | undefined> {
  return (await readIfPresent(ini)) ?? readIfPresent(heldOf(ini));
}

export async function dropHeldIni(ini: string): Promise<void> {
  await removeFile(heldOf(ini));
}

function heldOf(ini: string): string {
  return `${ini}.held`;
}

/**
 * Stops a vassal: running requests finish (`hook-emperor-stop` in its ini), at most for `grace`
 * milliseconds. Resolves to how many processes had to be killed because they did not end by themselves.
 */
export async function retireVassal(emperor: Emperor, ini: string, grace: number): Promise<number> {
  const status = await findVassal(emperor, basename(ini)).catch(() => undefined);
  // One that is still booting would not hear the stop; one that sleeps has nobody to hear it.
  if (status?.cursed === 0 && status.pid > 0 && !(await isHeldBack(emperor, status.pid)))
    await steady(emperor, ini, { within: 5000, goOn: () => undefined }).catch(() => undefined);

  const master = status && (await findProcess(status.pid));
  const workers = master ? await workersOf(master.pid) : [];
  const owner = master && (await ownerOf(master.pid));
  await removeFile(ini);
  await wakeEmperor(emperor).catch(() => undefined);
  const killed = master ? await ended(master, workers, grace) : 0;
  // An Emperor that was started anew may have started it after the look, and no traffic points at that one.
  await discardVassal(emperor, ini, owner);
  return killed;
}

/** Whether its start still waits for the Emperor's hook: until it begins it is a copy of the Emperor (core/emperor.c). */
async function isHeldBack(emperor: Emperor, master: number): Promise<boolean> {
  const pid = await pidOf(emperor);
  return pid !== undefined && (await titleOf(master)) === (await titleOf(pid));
}

/** Waits for a master that was told to stop, and for its workers, which may outlive it. */
async function ended(master: ProcessId, workers: ProcessId[], grace: number): Promise<number> {
  if (workers.length === 0 || (await isStopped(master.pid))) {
    // Nothing that a visitor waits for; who held it still was killed over that.
    await killTree(master);
    return 0;
  }
  const isGone = async (): Promise<boolean> => {
    if (await anyAlive(workers)) return false;
    return !(await isAlive(master)) || !hurry(master);
  };
  const gone = await waitFor(isGone, { within: grace + 2000, every: 20 });
  return gone ? 0 : (await killTree(master)) + (await killAll(workers));
}

/**
 * A master that was told to stop looks only once a second whether its workers are gone. A signal that tells it
 * nothing new has it look now, so that it ends as it would by itself (uWSGI core/master.c, grace_them_all). Returns
 * whether there was somebody to signal.
 */
function hurry(master: ProcessId): boolean {
  try {
    return process.kill(master.pid, "SIGHUP");
  } catch {
    return false;
  }
}

/**
 * Ends a vassal that carries nothing at once, also one that is still booting and would hear no stop. The
 * Emperor may have been starting it anew: it is looked for until the Emperor has forgotten it. `former`: the number
 * of the user that it ran as, where it has ended already.
 */
export async function discardVassal(emperor: Emperor, ini: string, former?: number): Promise<void> {
  let owner = former;
  await removeFile(ini);
  const isForgotten = async (): Promise<boolean> => {
    try {
      await wakeEmperor(emperor);
    } catch (error) {
      // It is gone, and what it knew with it; or nobody could look.
      return hasCode(error, "EMPEROR_DOWN");
    }
    const status = await findVassal(emperor, basename(ini)).catch(() => "unknown" as const);
    if (status === "unknown") return false;
    await endGroup(emperor, ini);
    const master = status && (await findProcess(status.pid));
    if (master) {
      owner ??= await ownerOf(master.pid);
      await killTree(master);
    }
    return status === undefined;
  };
  await waitFor(isForgotten, { within: 5000, every: 20 });
  await endGroup(emperor, ini, owner);
  await removeFile(join(emperor.pauses, nameOf(ini)));
}

/**
 * With the master gone, also what it or the app started, in whichever session that is. Where there are no control
 * groups: all processes of the `owner` that are not below the Emperor, of whichever vassal they once were.
 */
async function endGroup(emperor: Emperor, ini: string, owner?: number): Promise<void> {
  const groups = await groupsOf(emperor);
  if (groups.means.kill) await groups.end(groupOf(ini));
  else if (owner !== undefined && owner !== process.getuid?.())
    await killAll(await straysOf(owner, await pidOf(emperor)));
}

/** As the Emperor's hook calls it: an instance's name has no dot, and what follows one tells its vassals apart. */
export function groupOf(ini: string): GroupName {
  const name = nameOf(ini);
  const [instance = ""] = name.split(".", 1);
  return `vassals/${instance}/${name}`;
}

function nameOf(ini: string): string {
  return basename(ini, ".ini");
}

/**
 * It is held still first: what it started between a look and its end would go on without it. The signal only
 * asks for that: a fork that has begun is finished before (signal(7)).
 */
async function killTree(master: ProcessId): Promise<number> {
  if (!(await isAlive(master))) return 0;
  try {
    process.kill(master.pid, "SIGSTOP");
  } catch {
    return 0;
  }
  const isStill = async (): Promise<boolean> =>
    !(await isAlive(master)) || (await isStopped(master.pid));
  await waitFor(isStill, { within: 5000, every: 1 });
  return killAll([...(await workersOf(master.pid)), master]);
}

async function killAll(processes: ProcessId[]): Promise<number> {
  let killed = 0;
  for (const candidate of processes) {
    if (!(await isAlive(candidate))) continue;
    try {
      process.kill(candidate.pid, "SIGKILL");
      killed += 1;
    } catch {
      // It ended between the look and the kill.
    }
  }
  return killed;
}

async function workersOfVassal(emperor: Emperor, ini: string): Promise<ProcessId[]> {
  const status = await findVassal(emperor, basename(ini));
  return status && status.pid > 0 ? workersOf(status.pid) : [];
}

/** The master's children that run uWSGI as well: what an app starts at its import is the master's child, too. */
async function workersOf(master: number): Promise<ProcessId[]> {
  const [program, children] = await Promise.all([programOf(master), childrenOf(master)]);
  const programs = await Promise.all(children.map(programOf));
  const workers = children.filter((_, index) => programs[index] === program);
  return (await Promise.all(workers.map(findProcess))).filter((worker) => worker !== undefined);
}

async function anyAlive(processes: ProcessId[]): Promise<boolean> {
  return (await Promise.all(processes.map(isAlive))).includes(true);
}

/** The Emperor reloads only for a modification time that is later in whole seconds (uWSGI core/emperor.c). */
function secondsAfter(than: number): number {
  return Math.max(Math.floor(Date.now() / 1000), than + 1);
}
