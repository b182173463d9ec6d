import { sleep, waitFor } from "../../system/clock.ts";
import { openForeign, readAt } from "../../system/files.ts";
import { LineSplitter, printable } from "../../system/lines.ts";
import { tailOfLogs } from "../vassal/app-log.ts";

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

/** Milliseconds between two looks at a log that is followed. */
const every = 200;
const chunkLength = 64 * 1024;
/** Bytes that may come between two looks: a log that was made longer by a hole is not read through. */
const mostBehind = 1024 * 1024;

/** Says the end of an app's log and, where asked to, every line that is added to it. */
export async function streamLog(request: LogRequest): Promise<void> {
  const { log, understudies, lines, follow, say, gone } = request;
  const { tail, length } = await tailOfLogs(log, understudies, lines);
  for (const line of tail) say(line);

  if (follow) await followLog({ log, from: length }, say, gone);
  else if (tail.length === 0) say("the log is empty: the app has not been on the air");
}

async function followLog(
  { log, from }: { log: string; from: number },
  say: (line: string) => void,
  gone: AbortSignal,
): Promise<void> {
  const look = async (): Promise<Awaited<ReturnType<typeof openForeign>> | "gone"> =>
    gone.aborted ? "gone" : openForeign(log);
  const file = await waitFor(look, { within: Infinity, every });
  if (file === undefined || file === "gone") return;
  const splitter = new LineSplitter((line) => say(printable(line)), 4096);
  try {
    let position = from;
    while (!gone.aborted) {
      const { size } = await file.stat();
      // Somebody emptied it: what comes now begins anew.
      if (size < position) position = 0;
      if (size - position > mostBehind) {
        say(`(${size - position} bytes came at once, of which these are the last)`);
        position = size - chunkLength;
      }
      const bytes = await readAt(file, position, chunkLength);
      position += bytes.length;
      splitter.write(bytes);
      if (bytes.length === 0) await sleep(every);
    }
  } finally {
    await file.close();
  }
}
