import { constants } from "node:fs";
import { open } from "node:fs/promises";
import { sleep } from "../host/clock.ts";
import { isPresent } from "../host/files.ts";
import { LineSplitter, printable } from "../host/lines.ts";
import { tailOfLog } from "../vassal/app-log.ts";

interface LogRequest {
  lines: number;
  follow: boolean;
  say: (line: string) => void;
  gone: AbortSignal;
}

/** Says the end of an app's log and, where asked to, every line that comes after it. */
export async function streamLog(
  path: string,
  { lines, follow, say, gone }: LogRequest,
): Promise<void> {
  if (!(await isPresent(path))) {
    say("there is no log yet: the app has not been on the air, or its first deploy is settling");
    return;
  }
  for (const line of await tailOfLog(path, lines)) say(line);
  if (!follow) return;

  const file = await open(path, constants.O_RDONLY | constants.O_NOFOLLOW);
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
