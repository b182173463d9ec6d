import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { plainApp } from "../test/support/apps.ts";
import { Dying } from "../test/support/dying.ts";
import { TestServer } from "../test/support/server.ts";
import { succeeds } from "./outcome.ts";
import { median, printTable } from "./table.ts";

/** Seconds of each part, with the dying apps and without them, one after the other. */
const part = Number(process.env["SECONDS"] ?? 30);
const rounds = Number(process.env["ROUNDS"] ?? 2);
const perSecond = 50;

/** What visitors of a healthy app notice of apps beside it that die at their start, in real time. */
describe.runIf(process.getuid?.() === 0)("a healthy app beside dying ones", () => {
  let server: TestServer;
  let dying: Dying;
  const rows: (string | number)[][] = [];

  beforeAll(async () => {
    server = await TestServer.start([], { visited: true });
    dying = new Dying(server);
    await succeeds((await server.workspace("good", plainApp("good"))).push());
    await server.settled("good");
  });
  afterAll(async () => {
    await server.remove();
    printTable(
      ["dying apps", "p99 alone, ms", "p99 beside them, ms", "failed", "boots each"],
      rows,
    );
  });

  it.each([1, 2, 50])("%i of them", { timeout: 600_000 }, async (count) => {
    const [alone, beside]: [number[], number[]] = [[], []];
    let failed = 0;
    let boots = 0;
    for (let round = 0; round < rounds; round += 1) {
      const quiet = await visit();
      const names = dying.start(count);
      const busy = await visit();
      dying.end(names);
      boots = Math.max(boots, ...names.map((name) => dying.starts(name)));
      alone.push(quiet.p99);
      beside.push(busy.p99);
      failed += quiet.failed + busy.failed;
    }
    const [without, among] = [median(alone), median(beside)];
    rows.push([count, Math.round(without), Math.round(among), failed, boots]);

    expect(failed).toBe(0);
    expect(among).toBeLessThan(Math.max(3 * without, without + 30));
  });

  async function visit(): Promise<{ p99: number; failed: number }> {
    const took: number[] = [];
    let failed = 0;
    const asking: Promise<void>[] = [];
    const ask = async (): Promise<void> => {
      const began = performance.now();
      const answer = await server.get("good").catch(() => undefined);
      took.push(performance.now() - began);
      if (answer?.body !== "good") failed += 1;
    };
    const timer = setInterval(() => asking.push(ask()), 1000 / perSecond);
    await new Promise((resolve) => setTimeout(resolve, part * 1000));
    clearInterval(timer);
    await Promise.all(asking);
    took.sort((one, other) => one - other);
    return { p99: took[Math.floor(took.length * 0.99)] ?? Infinity, failed };
  }
});
