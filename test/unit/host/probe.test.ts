import { createServer, type RequestListener } from "node:http";
import { createServer as createSocketServer } from "node:net";
import { join } from "node:path";
import { describe, expect, it, onTestFinished } from "vitest";
import { ask } from "../../../src/host/probe.ts";
import { temporaryFolder } from "../../support/unit-folder.ts";

async function serve(listener: RequestListener): Promise<string> {
  const socketPath = join(temporaryFolder(), "app.sock");
  const server = createServer(listener);
  await new Promise<void>((resolve) => server.listen(socketPath, resolve));
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  return socketPath;
}

function question(socketPath: string, within = 5000) {
  return { socketPath, path: "/up?x=1", headers: { Host: "demo.localhost:8080" }, within };
}

describe("asking an app over its socket", () => {
  it("says the path and the host that nginx would say, and brings back the status", async () => {
    const asked: unknown[] = [];
    const socketPath = await serve((request, answer) => {
      asked.push([request.method, request.url, request.headers.host]);
      answer.writeHead(418).end("x".repeat(100_000));
    });

    expect(await ask(question(socketPath))).toEqual({ status: 418 });

    expect(asked).toEqual([["GET", "/up?x=1", "demo.localhost:8080"]]);
  });

  it("fails where nobody listens", async () => {
    expect(await ask(question(join(temporaryFolder(), "none.sock")))).toEqual({
      failure: "nobody listens",
    });
  });

  it("fails when the time is up, whether or not the answer had begun", async () => {
    const silent = await serve(() => undefined);
    const endless = await serve((_, answer) => void answer.writeHead(200).write("so far"));

    expect(await ask(question(silent, 50))).toEqual({ failure: "no answer in time" });
    expect(await ask(question(endless, 50))).toHaveProperty("failure");
  });

  it("fails when the app closes the connection without an answer", async () => {
    const socketPath = join(temporaryFolder(), "app.sock");
    const server = createSocketServer((connection) =>
      connection.once("data", () => connection.end()),
    );
    await new Promise<void>((resolve) => server.listen(socketPath, resolve));
    onTestFinished(() => void server.close());

    expect(await ask(question(socketPath))).toEqual({ failure: "cut off" });
  });

  it("can be called off", async () => {
    const asker = new AbortController();
    const socketPath = await serve(() => asker.abort());

    expect(await ask({ ...question(socketPath), signal: asker.signal })).toEqual({
      failure: "cut off",
    });
  });
});
