import { rm } from "node:fs/promises";
import { basename } from "node:path";
import { waitFor } from "../host/clock.ts";
import { kindOf, readIfPresent, writeAtomically } from "../host/files.ts";
import { findVassal, type Emperor } from "./emperor.ts";
import { installIni, removeSocket, retireVassal, steady } from "./vassal.ts";

/**
 * A vassal that sleeps: the Emperor binds its socket and starts it at the first connection, and it ends when
 * nobody has asked it anything for a while (uWSGI's OnDemandVassals.rst; `emperor-on-demand-extension`). A
 * reload near waking or falling asleep is lost, so it is never reloaded: each release has its own.
 */
export interface OnDemandVassal {
  ini: string;
  socket: string;
}

/** The ini of a vassal that gets its socket from the Emperor, as its standard input. */
export const handedSocket = "fd://0";

export function withIdle(ini: string, seconds: number): string {
  const line = `http-socket = ${handedSocket}\n`;
  return ini.replace(line, `${line}idle = ${seconds}\ndie-on-idle = true\n`);
}

const patience = 10_000;

/** Has the Emperor listen for it. Resolves when nginx may be led there. */
export async function installOnDemand(
  emperor: Emperor,
  { ini, socket }: OnDemandVassal,
  text: string,
): Promise<void> {
  if ((await readIfPresent(ini)) === text && (await kindOf(socket)) === "socket") return;
  await writeOnDemand({ ini, socket }, "");
  await installIni(emperor, ini, text);
  const listens = await waitFor(
    async () =>
      (await kindOf(socket)) === "socket" &&
      (await findVassal(emperor, basename(ini))) !== undefined,
    { within: patience },
  );
  if (!listens) throw new Error(`the Emperor does not listen for ${basename(ini)}`);
}

/** The files alone, for an Emperor that is yet to start. */
export async function writeOnDemand({ ini, socket }: OnDemandVassal, text: string): Promise<void> {
  await writeAtomically(socketFileOf(ini), socket);
  if (text !== "") await writeAtomically(ini, text);
}

export async function isAwake(emperor: Emperor, { ini }: OnDemandVassal): Promise<boolean> {
  return ((await findVassal(emperor, basename(ini)))?.pid ?? -1) > 0;
}

/**
 * Removes one that gets no new requests any more. What waits for it while it wakes is answered first:
 * `drained` resolves when its queue is empty, once it takes from it.
 */
export async function retireOnDemand(
  emperor: Emperor,
  vassal: OnDemandVassal,
  { boot, grace, drained }: { boot: number; grace: number; drained: () => Promise<void> },
): Promise<number> {
  if (await isAwake(emperor, vassal)) {
    await steady(emperor, vassal.ini, { within: boot, goOn: () => undefined });
    await drained();
  }
  const killed = await retireVassal(emperor, vassal.ini, grace);
  await removeOnDemand(vassal);
  return killed;
}

/** Its files, the socket included, which the Emperor leaves where it was. */
export async function removeOnDemand({ ini, socket }: OnDemandVassal): Promise<void> {
  await rm(ini, { force: true });
  await rm(socketFileOf(ini), { force: true });
  await removeSocket(socket);
}

function socketFileOf(ini: string): string {
  return `${ini}.socket`;
}
