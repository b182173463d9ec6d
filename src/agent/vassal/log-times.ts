// What an app prints has no time of ours. uWSGI's own lines have one, among them the line that follows each request, and
// what stands between two of them came between two times.

/** When the request began, and how long it took: the line is written at its end. */
const requestLine =
  /^\[pid: \d+\|app: [^{]* \{\d+ vars in \d+ bytes\} \[(\w{3} \w{3} [ \d]\d \d\d:\d\d:\d\d \d{4})\] .* in (\d+) msecs /;
const ownLine =
  /^(?:\*\*\* Starting uWSGI .* on \[)?([A-Z]\w\w [A-Z]\w\w [ \d]\d \d\d:\d\d:\d\d \d{4})(?:\] \*\*\*$| - )/;

/** Milliseconds; undefined of a line that has no time. */
export function timeOfLine(line: string): number | undefined {
  const [, at, took = "0"] = requestLine.exec(line) ?? ownLine.exec(line) ?? [];
  return at === undefined ? undefined : Date.parse(at) + Number(took);
}

const quarter = 15 * 60_000;
/** What a time in whole seconds may be off. */
const inexact = 2000;

/**
 * The lines of an app's log that were written since then, rather with some from before than without one: all behind the
 * last time before the first one since. `written`: when the log was written to. An app may have told the system that it
 * is elsewhere, as Django does by TIME_ZONE, and uWSGI writes its times as they are there: the last of them is taken for
 * as new as it may be.
 */
export function linesSince(lines: string[], since: number, written: number): string[] {
  const times = lines.map(timeOfLine);
  const last = times.findLast((time) => time !== undefined) ?? written;
  const elsewhere = Math.floor((written - last + inexact) / quarter) * quarter;
  const isSince = (time: number | undefined): boolean =>
    time !== undefined && time + elsewhere >= since;
  const first = times.findIndex(isSince);
  const before = times.slice(0, first === -1 ? undefined : first);
  return lines.slice(before.findLastIndex((time) => time !== undefined) + 1);
}

/** Of an access log, whose lines each have their time. */
export function requestsSince(lines: string[], since: number): string[] {
  return lines.filter((line) => Date.parse(/^\{"time":"([^"]*)"/.exec(line)?.[1] ?? "") >= since);
}
