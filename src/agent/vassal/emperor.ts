import { readFileSync } from "node:fs";
import { connect } from "node:net";
import { z } from "zod";
import { hasCode, UserError } from "../../errors.ts";
import type { Layout } from "../../config/layout.ts";
import { ControlGroups } from "../../system/control-groups.ts";
import { childrenOf, findByPidFile, findProcess } from "../../system/processes.ts";

/** One vassal as the Emperor's stats server lists it (uWSGI core/emperor.c). Times are in whole seconds. */
const vassalStatus = z.object({
  id: z.string(),
  pid: z.number(),
  last_mod: z.number(),
  accepting: z.number(),
  ready: z.number(),
  cursed: z.number(),
  respawns: z.number(),
});
export type VassalStatus = z.infer<typeof vassalStatus>;
const emperorStatus = z.object({ vassals: z.array(z.object({ id: z.string() }).loose()) });

export interface Emperor {
  pidFile: string;
  statsSocket: string;
  /** Where the Emperor's hook counts how often a vassal died at its start. */
  pauses: string;
}

export function emperorOf(layout: Layout): Emperor {
  const { emperorPid, emperorStats, pauses } = layout;
  return { pidFile: emperorPid, statsSocket: emperorStats, pauses };
}

/** uWSGI's `listen`: it refuses to start with more than the kernel allows. */
export function longestQueue(): number {
  return Math.min(1024, Number(readFileSync("/proc/sys/net/core/somaxconn", "utf8")));
}

/** The vassals that the Emperor runs, or `EMPEROR_DOWN`. */
export function listVassals(emperor: Emperor): Promise<VassalStatus[]> {
  return askEmperor(emperor, (vassals) => vassals.map((vassal) => vassalStatus.parse(vassal)));
}

/** One of them. It is asked for again and again, and there may be hundreds of others that nobody asked for. */
export function findVassal(emperor: Emperor, ini: string): Promise<VassalStatus | undefined> {
  return askEmperor(emperor, (vassals) => {
    const found = vassals.find(({ id }) => id === ini);
    return found && vassalStatus.parse(found);
  });
}

async function askEmperor<T>(
  { statsSocket }: Emperor,
  read: (vassals: { id: string }[]) => T,
): Promise<T> {
  try {
    return read(emperorStatus.parse(JSON.parse(await readAll(statsSocket))).vassals);
  } catch (error) {
    throw new UserError(
      "EMPEROR_DOWN",
      "uWSGI's Emperor does not answer; the apps it ran are off the air",
      {
        cause: error,
      },
    );
  }
}

/**
 * The Emperor looks at its folder every few seconds; SIGWINCH makes it look now (uWSGI core/emperor.c). `meanwhile`: what
 * it is to see, which is put there while it is looked for.
 */
export async function wakeEmperor(emperor: Emperor, meanwhile?: Promise<void>): Promise<void> {
  const [pid] = await Promise.all([pidOf(emperor), meanwhile]);
  if (pid !== undefined && wake(pid)) return;
  // One that is started anew meanwhile looks by itself, unless it has looked already.
  const next = meanwhile && (await pidOf(emperor));
  if (next === undefined || !wake(next)) {
    throw new UserError("EMPEROR_DOWN", "uWSGI's Emperor is not running; the apps are off the air");
  }
}

/** Whether there was somebody to wake: it may end between the look and the signal. */
function wake(pid: number): boolean {
  try {
    return process.kill(pid, "SIGWINCH");
  } catch (error) {
    if (hasCode(error, "ESRCH")) return false;
    throw error;
  }
}

/**
 * Has the Emperor see at once that a vassal has ended. By itself it takes a second (measured: it looks when the
 * vassal closes its end, which is a moment before it is gone), and until then nobody can wake a preview that
 * has just fallen asleep.
 */
export async function tellOfEnded(emperor: Emperor): Promise<boolean> {
  const pid = await pidOf(emperor);
  if (pid === undefined) return false;
  const vassals = await Promise.all((await childrenOf(pid)).map(findProcess));
  return vassals.includes(undefined) && wake(pid);
}

export async function isEmperorRunning(emperor: Emperor): Promise<boolean> {
  return (await pidOf(emperor)) !== undefined;
}

/** What the Emperor's hook calls the Emperor's own control group: those of the vassals are beside it. */
const ownGroup = "emperor";
const found = new WeakMap<Emperor, { pid: number; groups: ControlGroups }>();

/** The vassals' control groups; none where no Emperor runs. */
export async function groupsOf(emperor: Emperor): Promise<ControlGroups> {
  const pid = await pidOf(emperor);
  if (pid === undefined) return new ControlGroups();
  const known = found.get(emperor);
  if (known?.pid === pid) return known.groups;
  const groups = await ControlGroups.beside(pid, ownGroup);
  found.set(emperor, { pid, groups });
  return groups;
}

export async function pidOf({ pidFile }: Emperor): Promise<number | undefined> {
  return findByPidFile(pidFile, /uwsgi/i);
}

const timeout = 2000;

function readAll(socketPath: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    const socket = connect(socketPath);
    socket.setTimeout(timeout, () => socket.destroy(new Error("no answer")));
    socket.on("data", (chunk: Buffer) => chunks.push(chunk));
    socket.on("error", reject);
    socket.on("close", (failed) => {
      if (!failed) resolve(Buffer.concat(chunks).toString("utf8"));
    });
  });
}
