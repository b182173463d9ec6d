import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { spawn } from "node:child_process";
import { beforeAll, describe, expect, it, onTestFinished } from "vitest";
import { sleep } from "../../src/system/clock.ts";
import { evaluatingApp } from "../support/apps.ts";
import { Logrotate } from "../support/logrotate.ts";
import { eventually, program } from "../support/server.ts";
import { withApp, withServer } from "../support/with-server.ts";

const lines = 100_000;

/** Prints so many lines at `/print`, with a pause now and then, as whoever follows them may be slower. */
const printingApp = evaluatingApp(
  "show(environ['PATH_INFO'])",
  `import time

def show(path):
    if path == "/print":
        for number in range(${lines}):
            print("line %d of many" % number, flush=True)
            if number % 1000 == 0: time.sleep(0.05)
    return "shown"`,
);

describe("logs that are rotated again and again", () => {
  const server = withServer();
  withApp(server, "demo", printingApp);
  beforeAll(() => server.settled("demo"));

  /** A log and what was put aside of it, as one. */
  const wholeOf = (name: string): string => {
    const folder = server.path("log/apps");
    const numberOf = (file: string): number => Number(file.slice(name.length + 1));
    const files = readdirSync(folder).filter((file) => file === name || numberOf(file) > 0);
    files.sort((one, other) => numberOf(other) - numberOf(one));
    return files.map((file) => readFileSync(join(folder, file), "utf8")).join("");
  };
  const numbersIn = (text: string): number[] =>
    [...text.matchAll(/^line (\d+) of many$/gm)].map(([, number]) => Number(number));
  const all = Array.from({ length: lines }, (_, number) => number);

  it("have each line that an app printed once, and so has who follows them; no request fails", async () => {
    const logrotate = new Logrotate(server.home, 1000);
    const pids = server.processesOf("demo");
    let said = "";
    const follower = spawn(process.execPath, [program, "logs", "demo", "-f", "-n", "0"], {
      env: { REEVE_HOME: server.home, REEVE_PORT: String(server.port) },
    });
    onTestFinished(() => void follower.kill());
    follower.stdout.on("data", (chunk: Buffer) => (said += chunk.toString()));
    await eventually(async () => {
      await server.get("demo", "/seen");
      return said.includes("/seen");
    });

    const over = new AbortController();
    const printed = server.get("demo", "/print").finally(() => over.abort());
    const statuses = new Set<number>();
    let asked = 0;
    while (!over.signal.aborted) {
      await logrotate.rotate();
      statuses.add((await server.get("demo", "/asked")).status);
      asked += 1;
      await sleep(100);
    }

    expect((await printed).status).toBe(200);
    expect([...statuses]).toEqual([200]);
    expect(numbersIn(wholeOf("demo.log"))).toEqual(all);
    await eventually(() => numbersIn(said).length >= lines, 30_000);
    expect(numbersIn(said)).toEqual(all);
    const requests = (): number => wholeOf("demo.access.jsonl").split('"/asked"').length - 1;
    await eventually(() => requests() >= asked);
    expect(requests()).toBe(asked);
    expect(server.processesOf("demo")).toEqual(pids);
  }, 180_000);

  it("are read on in what was put aside, and go with the app", async () => {
    await new Logrotate(server.home).rotate();
    const { output } = await server.reeve("logs", "demo", "--since", "1h");
    expect(numbersIn(output).length).toBeGreaterThan(1000);

    await server.reeve("destroy", "demo", "--yes");

    expect(readdirSync(server.path("log/apps")).filter((name) => name.startsWith("demo"))).toEqual(
      [],
    );
  });
});
