import { readFileSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { connect } from "node:net";
import { z } from "zod";
import { UserError } from "../errors.ts";
import { findProcess } from "../host/processes.ts";

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
const emperorStatus = z.object({ pid: z.number(), vassals: z.array(vassalStatus) });

export interface Emperor {
  pidFile: string;
  statsSocket: string;
}

/** uWSGI's `listen`: it refuses to start with more than the kernel allows. */
export function longestQueue(): number {
  return Math.min(1024, Number(readFileSync("/proc/sys/net/core/somaxconn", "utf8")));
}

/** The vassals that the Emperor runs, or `EMPEROR_DOWN`. */
export async function listVassals(emperor: Emperor): Promise<VassalStatus[]> {
  try {
    const text = await readAll(emperor.statsSocket);
    return emperorStatus.parse(JSON.parse(text)).vassals;
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

export async function findVassal(emperor: Emperor, ini: string): Promise<VassalStatus | undefined> {
  return (await listVassals(emperor)).find((vassal) => vassal.id === ini);
}

/** The Emperor looks at its folder every few seconds; SIGWINCH makes it look now (uWSGI core/emperor.c). */
export async function wakeEmperor(emperor: Emperor): Promise<void> {
  const pid = Number((await readFile(emperor.pidFile, "utf8").catch(() => "")).trim());
  if (!pid || !(await findProcess(pid))) {
    throw new UserError("EMPEROR_DOWN", "uWSGI's Emperor is not running; the apps are off the air");
  }
  process.kill(pid, "SIGWINCH");
}

export async function isEmperorRunning({ pidFile }: Emperor): Promise<boolean> {
  const pid = Number((await readFile(pidFile, "utf8").catch(() => "")).trim());
  return pid > 0 && (await findProcess(pid)) !== undefined;
}

const patience = 2000;

function readAll(socketPath: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    const socket = connect(socketPath);
    socket.setTimeout(patience, () => socket.destroy(new Error("no answer")));
    socket.on("data", (chunk: Buffer) => chunks.push(chunk));
    socket.on("error", reject);
    socket.on("close", (failed) => {
      if (!failed) resolve(Buffer.concat(chunks).toString("utf8"));
    });
  });
}
