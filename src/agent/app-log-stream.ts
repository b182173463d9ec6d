import { constants } from "node:fs";
import { open } from "node:fs/promises";
import { sleep } from "../host/clock.ts";
import { isPresent } from "../host/files.ts";
import { LineSplitter, printable } from "../host/lines.ts";
import { tailOfLog } from "../vassal/app-log.ts";

interface LogRequest {
  /** The app's log. */
  log: string;
  /** The logs of its understudies, which are added to it when they retire. */
  understudies: string[];
  lines: number;
  follow: boolean;
  say: (line: string) => void;
  gone: AbortSignal;
}

/** Says the end of an app's log and, where asked to, every line that is added to it. */
export async function streamLog(request: LogRequest): Promise<void> {
  const { log, understudies, lines, follow, say, gone } = request;
  const tails = [];
  for (const path of [log, ...understudies]) tails.push(...(await tailOfLog(path, lines)));
  for (const line of tails.slice(-lines)) say(line);

  if (follow) await followLog(log, say, gone);
  else if (tails.length === 0) say("the log is empty: the app has not been on the air");
}

async function followLog(
  log: string,
  say: (line: string) => void,
  gone: AbortSignal,
): Promise<void> {
  while (!(await isPresent(log))) {
    if (gone.aborted) return;
    await sleep(200);
  }
  const file = await open(log, constants.O_RDONLY | constants.O_NOFOLLOW);
  const splitter = new LineSplitter((line) => say(printable(line)), 4096);
  const buffer = Buffer.alloc(64 * 1024);
  try {
    let position = (await file.stat()).size;
    while (!gone.aborted) {
      const { bytesRead } = await file.read(buffer, 0, buffer.length, position);
      position += bytesRead;
      if (bytesRead > 0) splitter.write(buffer.subarray(0, bytesRead));
      else await sleep(200);
    }
  } finally {
    await file.close();
  }
}
