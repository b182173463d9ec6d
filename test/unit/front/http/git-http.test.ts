import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { createServer } from "node:http";
import { connect } from "node:net";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { createGzip } from "node:zlib";
import { describe, expect, it, onTestFinished } from "vitest";
import { pino } from "pino";
import { answerService } from "../../../../src/front/http/git-http.ts";
import { listenOn } from "../../../../src/protocol/channel.ts";
import { temporaryFolder } from "../../../support/unit-folder.ts";

/** Parts of one gzip, each of which unfolds to so many bytes. */
async function gzipParts(count: number, bytes: number): Promise<Buffer[]> {
  const gzip = createGzip();
  const parts: Buffer[] = [];
  for (let part = 0; part < count; part += 1) {
    gzip.write(randomBytes(bytes));
    await new Promise<void>((resolve) => gzip.flush(resolve));
    parts.push(gzip.read() as Buffer);
  }
  return parts;
}

describe("a compressed upload", () => {
  it("that breaks off while it waits for its turn, in the midst of a part, ends alone", async () => {
    const path = join(temporaryFolder(), "http.sock");
    let ended = 0;
    const server = createServer((request, response) => {
      for (const stream of [request, response]) stream.on("error", () => undefined);
      const serving = {
        ...{ repository: "/nonexistent", service: "receive-pack" as const, limit: 1024 ** 2 },
        log: pino({ level: "silent" }),
        enter: (gone: AbortSignal) =>
          new Promise<never>((_, reject) => {
            gone.addEventListener("abort", () => reject(new Error("gone")));
          }),
        confine: () => Promise.resolve(),
      };
      answerService(serving, request, response).catch(() => (ended += 1));
    });
    await listenOn(server, path);
    onTestFinished(() => void server.close());

    const rounds = 20;
    for (let round = 0; round < rounds; round += 1) {
      const [last, ...parts] = (await gzipParts(5, 5000)).reverse();
      const client = connect(path);
      client.write(
        "POST / HTTP/1.1\r\nHost: git\r\nContent-Encoding: gzip\r\nContent-Length: 1000000\r\n\r\n",
      );
      for (const part of parts.reverse()) {
        client.write(part);
        await sleep(5);
      }
      client.end(last ?? "");
      await once(client.resume(), "close");
    }

    await expect.poll(() => ended).toBe(rounds);
  });
});
