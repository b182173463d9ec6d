import { basename } from "node:path";
import type { Vassal } from "../../names/vassal.ts";
import { waitFor } from "../../system/clock.ts";
import { kindOf, readIfPresent, removeFile, writeAtomically } from "../../system/files.ts";
import { findVassal, type Emperor } from "./emperor.ts";
import { installIni } from "./vassal.ts";

// A vassal that sleeps: the Emperor binds its socket and starts it at the first connection, and it ends when
// nobody has asked it anything for a while (uWSGI's OnDemandVassals.rst; `emperor-on-demand-extension`). A
// reload near waking or falling asleep is lost, so it is never reloaded: each release has its own.

type OnDemand = Pick<Vassal, "ini" | "socket">;

/** The ini of a vassal that gets its socket from the Emperor, as its standard input. */
export const handedSocket = "fd://0";

export function withIdle(ini: string, seconds: number): string {
  const line = `http-socket = ${handedSocket}\n`;
  return ini.replace(line, `${line}idle = ${seconds}\ndie-on-idle = true\n`);
}

const timeout = 10_000;

/** Has the Emperor listen for it. Resolves when nginx may be pointed there. */
export async function installOnDemand(
  emperor: Emperor,
  { ini, socket }: OnDemand,
  text: string,
): Promise<void> {
  if ((await readIfPresent(ini)) === text && (await kindOf(socket)) === "socket") return;
  await writeOnDemand({ ini, socket }, "");
  await installIni(emperor, ini, text);
  const listens = await waitFor(
    async () =>
      (await kindOf(socket)) === "socket" &&
      (await findVassal(emperor, basename(ini))) !== undefined,
    { within: timeout },
  );
  if (!listens) throw new Error(`the Emperor does not listen for ${basename(ini)}`);
}

/** The files alone, for an Emperor that is yet to start. */
export async function writeOnDemand({ ini, socket }: OnDemand, text: string): Promise<void> {
  await writeAtomically(socketFileOf(ini), socket);
  if (text !== "") await writeAtomically(ini, text);
}

/** Where no Emperor answers, nobody is. */
export async function isAwake(emperor: Emperor, { ini }: OnDemand): Promise<boolean> {
  const status = await findVassal(emperor, basename(ini)).catch(() => undefined);
  return status !== undefined && status.pid > 0;
}

/** The files of any vassal, the socket included, which the Emperor leaves where it was. */
export async function removeVassalFiles({ ini, socket }: OnDemand): Promise<void> {
  for (const path of [ini, socketFileOf(ini), socket]) await removeFile(path);
}

function socketFileOf(ini: string): string {
  return `${ini}.socket`;
}
