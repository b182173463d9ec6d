import { pino, type Logger } from "pino";

/** Bytes of lines that wait until they can be written again, on a full disk say; what comes then is left out. */
const mostWaiting = 256 * 1024;

/**
 * What a half of reeve says of itself, a line of JSON each. A line that cannot be written ends nobody: pino's own
 * destination has the error thrown where nobody catches it, and then tries for ever to write before the process ends.
 */
export function openLog(name: string, descriptor = 1): Logger {
  const destination = pino.destination({ dest: descriptor, sync: true, maxLength: mostWaiting });
  destination.on("error", () => undefined);
  return pino({ name }, destination);
}
