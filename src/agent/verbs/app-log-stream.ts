import { tailOfLogs, tailOfRequests, type Wanted } from "../vassal/app-log.ts";
import { followLog } from "./follow-log.ts";

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

/** Characters. nginx takes an address of 8 KiB, and writes some of its characters as several. */
const longestLine = 4096;
const longestRequest = 64 * 1024;

/** Says the end of an app's log and, where asked to, every line that is added to it. */
export async function streamLog(request: LogRequest): Promise<void> {
  const { log, understudies, lines, since, follow, say, gone } = request;
  const { tail, ...end } = await tailOfLogs(log, understudies, { lines, since });
  for (const line of tail) say(line);

  if (follow) await followLog({ log, ...end, longest: longestLine }, say, gone);
  else if (tail.length === 0 && since === undefined)
    say("the log is empty: the app has not been on the air");
}

/** The same of an access log. */
export async function streamRequests(request: AccessLogRequest): Promise<void> {
  const { accessLog: log, lines, since, follow, say, gone } = request;
  const { tail, ...end } = await tailOfRequests(log, { lines, since });
  for (const line of tail) say(line);

  if (follow) await followLog({ log, ...end, longest: longestRequest }, say, gone);
}
