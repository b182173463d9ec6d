import { rmSync } from "node:fs";
import { connect, createServer } from "node:net";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { describe, expect, it, onTestFinished } from "vitest";
import { Traffic } from "../../../src/deploy/traffic.ts";
import { waitFor } from "../../../src/host/clock.ts";
import { temporaryFolder } from "../../support/unit-folder.ts";

const soon = { within: 5000 };
const nothingNewer = (): void => undefined;

async function bind(path: string, name: string): Promise<void> {
  rmSync(path, { force: true });
  const server = createServer((connection) => connection.end(name));
  await new Promise<void>((resolve) => server.listen(path, resolve));
  onTestFinished(() => void server.close());
}

async function demo() {
  const folder = temporaryFolder();
  const socket = join(folder, "demo.sock");
  const understudy = join(folder, "demo.next-1.sock");
  await bind(socket, "vassal");
  await bind(understudy, "understudy");
  const traffic = new Traffic();
  onTestFinished(() => traffic.forget(socket));
  return { traffic, socket, understudy, whoAnswers: () => text(connect(socket)) };
}

describe("the traffic of an instance", () => {
  it("goes to the understudy, and back to the vassal", async () => {
    const { traffic, socket, understudy, whoAnswers } = await demo();

    await traffic.lead(socket, understudy);
    const meanwhile = await whoAnswers();
    await traffic.back(socket, nothingNewer);

    expect([meanwhile, await whoAnswers()]).toEqual(["understudy", "vassal"]);
  });

  it("is given back to the understudy when a vassal that starts takes its path", async () => {
    const { traffic, socket, understudy, whoAnswers } = await demo();
    await traffic.lead(socket, understudy);

    await bind(socket, "vassal, started anew");

    expect(await waitFor(async () => (await whoAnswers()) === "understudy", soon)).toBe(true);
    await traffic.back(socket, nothingNewer);
    expect(await whoAnswers()).toBe("vassal, started anew");
  });

  it("stays with the understudy where something newer has come in between", async () => {
    const { traffic, socket, understudy, whoAnswers } = await demo();
    await traffic.lead(socket, understudy);

    const superseded = new Error("a newer deploy has come");
    const expectCurrent = (): void => {
      throw superseded;
    };
    await expect(traffic.back(socket, expectCurrent)).rejects.toBe(superseded);

    expect(await whoAnswers()).toBe("understudy");
  });

  it("is moved once at a time: the last who asked has it", async () => {
    const { traffic, socket, understudy, whoAnswers } = await demo();

    await Promise.all([
      traffic.lead(socket, understudy),
      traffic.back(socket, nothingNewer),
      traffic.lead(socket, understudy),
      traffic.back(socket, nothingNewer),
    ]);

    expect(await whoAnswers()).toBe("vassal");
  });
});
