import { utimesSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { tailOfLogs, tailOfRequests } from "../../../../src/agent/vassal/app-log.ts";
import { linesSince, timeOfLine } from "../../../../src/agent/vassal/log-times.ts";
import { temporaryFolder } from "../../../support/unit-folder.ts";

/** `Mon Nov 30 14:52:40 2026`, as ctime(3) says it, at this second of an hour. */
function ctime(minutes: number, hour = 14): string {
  return `Mon Nov 30 ${hour}:${String(minutes).padStart(2, "0")}:00 2026`;
}

/** To the letter what uWSGI 2.0.21 writes when a request has ended. */
function request(minutes: number, { hour = 14, msecs = 0 } = {}): string {
  return `[pid: 9875|app: 0|req: 1/1] 127.0.0.1 () {38 vars in 500 bytes} [${ctime(minutes, hour)}] GET /a[b] => generated 2 bytes in ${msecs} msecs (HTTP/1.1 200) 2 headers in 66 bytes (1 switches on core 0)`;
}

const at = (minutes: number, hour = 14): number => new Date(2026, 10, 30, hour, minutes).getTime();

describe("the time of a line", () => {
  it.each([
    [request(5), at(5)],
    [request(5, { msecs: 120_000 }), at(7)],
    [`*** Starting uWSGI 2.0.21-debian (64bit) on [${ctime(6)}] ***`, at(6)],
    [`${ctime(7)} - *** HARAKIRI ON WORKER 1 ***`, at(7)],
    ["what the app printed", undefined],
    ["2026-11-30 14:05:00 what the app printed", undefined],
  ])("is uWSGI's own alone: %s", (line, time) => {
    expect(timeOfLine(line)).toBe(time);
  });
});

describe("the lines since a time", () => {
  const log = [request(1), "printed at 2", request(3), "printed at 4", "and 5", request(6), "last"];

  it("are all behind the last time of before, whenever they were printed", () => {
    expect(linesSince(log, at(5), at(7))).toEqual(log.slice(3));
    expect(linesSince(log, at(1), at(7))).toEqual(log);
  });

  it("are those without a time where nothing with one came since", () => {
    expect(linesSince(log, at(9), at(9))).toEqual(["last"]);
    expect(linesSince(["no", "times"], at(5), at(7))).toEqual(["no", "times"]);
  });

  it("are none too few where a request that began before them ended behind them", () => {
    const slow = [request(1), "printed at 20", request(2, { msecs: 20 * 60_000 }), request(23)];

    expect(linesSince(slow, at(19), at(23))).toEqual(slow.slice(1));
  });

  it("are right of an app that takes itself to be elsewhere, as Django does", () => {
    const elsewhere = log.map((line) => line.replace(" 14:", " 08:"));

    expect(linesSince(elsewhere, at(5), at(6))).toEqual(
      log.slice(3).map((line) => line.replace(" 14:", " 08:")),
    );
  });
});

describe("a log that is read from a time on", () => {
  const file = (text: string): string => {
    const path = join(temporaryFolder(), "demo.log");
    writeFileSync(path, text);
    utimesSync(path, at(10) / 1000, at(10) / 1000);
    return path;
  };

  it("is read further back than its end", async () => {
    const path = file(`${request(1)}\n${`${"x".repeat(100)}\n`.repeat(3000)}${request(10)}\n`);

    const { tail } = await tailOfLogs(path, [], { lines: 100_000, since: at(5) });

    expect(tail).toHaveLength(3001);
  });

  it("says where it was not read to its beginning", async () => {
    const path = file(`first\n${`${"x".repeat(100)}\n`.repeat(50_000)}`);

    const { tail } = await tailOfLogs(path, [], { lines: 100_000, since: at(5) });

    expect(tail[0]).toBe("(what is older than the last 4194304 bytes was not looked at)");
    expect(tail.length).toBeLessThan(45_000);
  });

  it("has of an access log whole lines, those since then", async () => {
    const line = (minutes: number): string =>
      JSON.stringify({ time: new Date(at(minutes)).toISOString(), path: "/".repeat(1000) });
    const path = file(
      Array.from({ length: 100 }, (_, minute) => `${line(minute % 60)}\n`).join(""),
    );

    const { tail } = await tailOfRequests(path, { lines: 100 });
    const { tail: late } = await tailOfRequests(path, { lines: 100, since: at(58) });

    expect(tail.length).toBeGreaterThan(50);
    expect(tail.map((one) => JSON.parse(one) as unknown)).toHaveLength(tail.length);
    expect(late).toEqual([line(58), line(59)]);
  });
});
