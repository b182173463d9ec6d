import { spawn, type ChildProcess } from "node:child_process";
import {
  appendFileSync,
  existsSync,
  mkdirSync,
  readFileSync,
  readdirSync,
  renameSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { describe, expect, it, onTestFinished } from "vitest";
import { streamLog, streamRequests } from "../../../../src/agent/verbs/app-log-stream.ts";
import { mergeLogs, tailOfLogs } from "../../../../src/agent/vassal/app-log.ts";
import { sleep, waitFor } from "../../../../src/system/clock.ts";
import { Logrotate } from "../../../support/logrotate.ts";
import { temporaryFolder } from "../../../support/unit-folder.ts";

const most = 1_000_000;

/** A home with the logs of apps in it. */
function scene(kept?: number): { home: string; log: string; logrotate: Logrotate } {
  const home = temporaryFolder();
  mkdirSync(join(home, "log/apps"), { recursive: true });
  const logrotate = new Logrotate(home, kept);
  return { home, log: join(home, "log/apps/demo.log"), logrotate };
}

/** Prints as an app does, to a file that it has open; with a pause now and then, for whoever follows it. */
function printing(log: string, word: string, lines: number): ChildProcess {
  const program = `import os, time
log = os.open(${JSON.stringify(log)}, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o640)
for number in range(${lines}):
    os.write(log, b"${word} %d of a line that is about as long as others are\\n" % number)
    if number % 1000 == 0: time.sleep(0.05)`;
  const child = spawn("python3", ["-c", program], { stdio: "inherit" });
  onTestFinished(() => void child.kill());
  return child;
}

function following(log: string): { said: string[]; end: () => Promise<void> } {
  const said: string[] = [];
  const over = new AbortController();
  const request = { lines: most, follow: true, say: (line: string) => said.push(line) };
  const ended = log.endsWith(".jsonl")
    ? streamRequests({ ...request, accessLog: log, gone: over.signal })
    : streamLog({ ...request, log, understudies: [], gone: over.signal });
  const end = (): Promise<void> => {
    over.abort();
    return ended;
  };
  onTestFinished(end);
  return { said, end };
}

function numbersOf(lines: string[], word: string): number[] {
  return lines
    .filter((line) => line.startsWith(`${word} `))
    .map((line) => Number(line.split(" ")[1]));
}

const upTo = (count: number): number[] => Array.from({ length: count }, (_, number) => number);

/** A log and all that was put aside of it, as one. */
function wholeOf(log: string): string[] {
  const aside = upTo(2000)
    .map((number) => `${log}.${number + 1}`)
    .filter((path) => existsSync(path))
    .reverse();
  return [...aside, log]
    .map((path) => readFileSync(path, "utf8"))
    .join("")
    .split("\n");
}

describe("a log that is rotated while apps print", () => {
  it("loses no line and doubles none, and whoever follows it sees each once", async () => {
    const { log, logrotate } = scene(2000);
    writeFileSync(log, "");
    const count = 50_000;
    const { said } = following(log);
    await waitFor(
      () => {
        appendFileSync(log, "it is followed\n");
        return Promise.resolve(said.length > 0);
      },
      { within: 20_000, every: 50 },
    );

    const writers = [printing(log, "one", count), printing(log, "two", count)];
    let rotations = 0;
    while (writers.some(({ exitCode }) => exitCode === null)) {
      await logrotate.rotate();
      rotations += 1;
      await sleep(100);
    }

    const isAllSaid = (): Promise<boolean> =>
      Promise.resolve(said.filter((line) => / \d+ of a line /.test(line)).length >= 2 * count);
    await waitFor(isAllSaid, { within: 20_000, every: 50 });
    expect(rotations).toBeGreaterThan(1);
    for (const word of ["one", "two"]) {
      expect(numbersOf(wholeOf(log), word)).toEqual(upTo(count));
      expect(numbersOf(said, word)).toEqual(upTo(count));
    }
  }, 120_000);

  it("is read as one with what was put aside", async () => {
    const { log, logrotate } = scene();
    for (const word of ["one", "two", "three"]) {
      appendFileSync(
        log,
        upTo(200)
          .map((number) => `${word} ${number}\n${"x".repeat(50)}\n`)
          .join(""),
      );
      await logrotate.rotate();
    }

    const { tail } = await tailOfLogs(log, [], { lines: most });

    expect(readdirSync(join(log, "..")).sort()).toEqual([
      "demo.log",
      "demo.log.1",
      "demo.log.2",
      "demo.log.3",
    ]);
    for (const word of ["one", "two", "three"]) expect(numbersOf(tail, word)).toEqual(upTo(200));
  });

  it("is an understudy's as well, and is added to the app's as one", async () => {
    const { log, logrotate } = scene();
    const own = log.replace("demo.log", "demo.next-3.log");
    writeFileSync(
      own,
      upTo(1000)
        .map((number) => `own ${number}\n`)
        .join(""),
    );
    await logrotate.rotate();
    appendFileSync(own, "own 1000\n");

    await mergeLogs(own, log);

    expect(numbersOf(wholeOf(log), "own")).toEqual(upTo(1001));
    expect(readdirSync(join(log, ".."))).toEqual(["demo.log"]);
  });

  it("stays as it is where there is less than a block of it", async () => {
    const { log, logrotate } = scene();
    writeFileSync(log, "a line\n");

    await logrotate.rotate();

    expect(readFileSync(log, "utf8")).toBe("a line\n");
    expect(readdirSync(join(log, ".."))).toEqual(["demo.log"]);
  });
});

describe("an access log that is followed over a rotation", () => {
  it("goes on with what comes to the former file, and then with the next, also twice", async () => {
    const { home, log } = scene();
    const access = log.replace(".log", ".access.jsonl");
    writeFileSync(access, "");
    const { said } = following(access);
    const hears = (line: string): Promise<boolean | undefined> =>
      waitFor(() => Promise.resolve(said.includes(line)), { within: 20_000, every: 10 });

    await waitFor(
      () => {
        appendFileSync(access, "first\n");
        return Promise.resolve(said.includes("first"));
      },
      { within: 20_000, every: 300 },
    );
    renameSync(access, `${access}.1`);
    appendFileSync(`${access}.1`, "of a worker that was not told yet\n");
    writeFileSync(access, "second\n");
    renameSync(`${access}.1`, `${access}.2`);
    renameSync(access, `${access}.1`);
    writeFileSync(access, "third\n");

    for (const line of ["of a worker that was not told yet", "second", "third"])
      expect(await hears(line), `${home}: ${line}`).toBe(true);
    expect(said.filter((line) => line === "second" || line === "third")).toEqual([
      "second",
      "third",
    ]);
  }, 60_000);
});
