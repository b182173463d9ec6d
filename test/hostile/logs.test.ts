import { execFileSync } from "node:child_process";
import {
  appendFileSync,
  existsSync,
  lstatSync,
  readFileSync,
  statSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { streamLog } from "../../src/agent/verbs/app-log-stream.ts";
import { waitFor } from "../../src/system/clock.ts";
import { mergeLogs, provideLog, tailOfLog } from "../../src/agent/vassal/app-log.ts";
import { temporaryFolder } from "../support/unit-folder.ts";
import { nobody } from "../support/unit-identity.ts";

const mebibyte = 1024 * 1024;

function logs(): { from: string; into: string } {
  const folder = temporaryFolder();
  return { from: join(folder, "demo.next-1.log"), into: join(folder, "demo.log") };
}

function fifo(path: string): string {
  execFileSync("mkfifo", [path]);
  return path;
}

// An app's log is the app's to write, to empty, and to make a terabyte long with one call.
describe("a log that its app has made", () => {
  it("W4: a terabyte long by a hole is merged by its end, and the hole takes no room", async () => {
    const { from, into } = logs();
    writeFileSync(into, "before\n");
    writeFileSync(from, "");
    truncateSync(from, 2 ** 40);
    appendFileSync(from, "the last line\n");

    await mergeLogs(from, into);

    const merged = readFileSync(into, "utf8");
    expect(merged).toMatch(/^before\n\(reeve left out the first \d+ bytes of what came here\)\n/);
    expect(merged.endsWith("the last line\n")).toBe(true);
    expect(merged.length).toBeLessThan(200);
    expect(existsSync(from)).toBe(false);
  });

  it("W4: longer than anybody reads is merged by its last 8 MiB", async () => {
    const { from, into } = logs();
    writeFileSync(from, "a line of the app\n".repeat(mebibyte));

    await mergeLogs(from, into);

    expect(statSync(into).size).toBeGreaterThan(8 * mebibyte);
    expect(statSync(into).size).toBeLessThan(8 * mebibyte + 100);
  });

  it("W4: growing for as long as it is read is merged up to where it ended when that began", async () => {
    const { from, into } = logs();
    writeFileSync(from, "a line of the app\n".repeat(100_000));
    const merged = new AbortController();
    let grown = 0;
    const growing = (async () => {
      while (!merged.signal.aborted && existsSync(from)) {
        appendFileSync(from, "one more line\n".repeat(10_000));
        grown += 1;
        await new Promise((resolve) => setImmediate(resolve));
      }
    })();

    await mergeLogs(from, into);
    merged.abort();
    await growing;

    expect(grown, "while it was read as well").toBeGreaterThan(1);
    expect(statSync(into).size).toBeLessThan(8 * mebibyte + 100);
  });

  it("W4: a pipe or a link in its place is neither waited for nor followed", async () => {
    const { from, into } = logs();
    writeFileSync(into, "own\n");
    fifo(from);
    const link = `${into}.link`;
    symlinkSync(into, link);

    await expect(mergeLogs(from, into)).rejects.toThrow("is no file");
    await expect(provideLog(from, nobody, false)).rejects.toThrow();
    expect(await tailOfLog(from, { lines: 10 })).toEqual([]);
    expect(await tailOfLog(link, { lines: 10 })).toEqual([]);

    expect(lstatSync(from).isFIFO()).toBe(true);
    expect(readFileSync(into, "utf8")).toBe("own\n");
  });

  it("W4: that was emptied or made longer while somebody follows it goes on with what comes", async () => {
    const { into } = logs();
    writeFileSync(into, "old\n".repeat(1000));
    const said: string[] = [];
    const over = new AbortController();
    const following = streamLog({
      ...{ log: into, understudies: [], lines: 0, follow: true },
      say: (line) => said.push(line),
      gone: over.signal,
    });
    const hears = (line: string): Promise<boolean | undefined> =>
      waitFor(() => Promise.resolve(said.includes(line)), { within: 20_000, every: 10 });

    // Again and again, since nobody knows from when on it is followed.
    await waitFor(
      () => {
        appendFileSync(into, "first\n");
        return Promise.resolve(said.includes("first"));
      },
      { within: 20_000, every: 50 },
    );
    truncateSync(into, 0);
    appendFileSync(into, "after it was emptied\n");
    expect(await hears("after it was emptied")).toBe(true);
    truncateSync(into, 2 ** 40);
    appendFileSync(into, "\nbehind the hole\n");
    expect(await hears("behind the hole")).toBe(true);

    over.abort();
    await following;
    expect(said.some((line) => / bytes came at once, of which these are the last/.test(line))).toBe(
      true,
    );
  });
});
