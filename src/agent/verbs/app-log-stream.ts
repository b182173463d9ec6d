import { sleep, waitFor } from "../../system/clock.ts";
import { openForeign, readAt } from "../../system/files.ts";
import { LineSplitter, printable } from "../../system/lines.ts";
import { tailOfLogs, tailOfRequests, type Wanted } from "../vassal/app-log.ts";

interface Streaming {
  follow: boolean;
  say: (line: string) => void;
  gone: AbortSignal;
}

interface LogRequest extends Streaming, Wanted {
  /** The app's log. */
  log: string;
  /** The logs of its understudies, which are added to it when they retire. */
  understudies: string[];
}

interface AccessLogRequest extends Streaming, Wanted {
  accessLog: string;
}

/** Milliseconds between two looks at a log that is followed. */
const every = 200;
/** Characters. nginx takes an address of 8 KiB, and writes some of its characters as several. */
const longestLine = 4096;
const longestRequest = 64 * 1024;
const chunkLength = 64 * 1024;
/** Bytes that may come between two looks: a log that was made longer by a hole is not read through. */
const mostBehind = 1024 * 1024;

/** Says the end of an app's log and, where asked to, every line that is added to it. */
export async function streamLog(request: LogRequest): Promise<void> {
  const { log, understudies, lines, since, follow, say, gone } = request;
  const { tail, length } = await tailOfLogs(log, understudies, { lines, since });
  for (const line of tail) say(line);

  if (follow) await followLog({ log, from: length, longest: longestLine }, say, gone);
  else if (tail.length === 0 && since === undefined)
    say("the log is empty: the app has not been on the air");
}

/** The same of an access log. */
export async function streamRequests(request: AccessLogRequest): Promise<void> {
  const { accessLog: log, lines, since, follow, say, gone } = request;
  const { tail, length } = await tailOfRequests(log, { lines, since });
  for (const line of tail) say(line);

  if (follow) await followLog({ log, from: length, longest: longestRequest }, say, gone);
}

async function followLog(
  { log, from, longest }: { log: string; from: number; longest: number },
  say: (line: string) => void,
  gone: AbortSignal,
): Promise<void> {
  const look = async (): Promise<Awaited<ReturnType<typeof openForeign>> | "gone"> =>
    gone.aborted ? "gone" : openForeign(log);
  const file = await waitFor(look, { within: Infinity, every });
  if (file === undefined || file === "gone") return;
  const splitter = new LineSplitter((line) => say(printable(line)), longest);
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
