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

/** Answers with these bytes, and closes. */
async function serveBytes(bytes: string): Promise<string> {
  const socketPath = join(temporaryFolder(), "app.sock");
  const server = createSocketServer((connection) =>
    connection.once("data", () => connection.end(bytes)),
  );
  await new Promise<void>((resolve) => server.listen(socketPath, resolve));
  onTestFinished(() => void server.close());
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

    expect(await ask(question(socketPath))).toEqual({ status: 418, body: "whole" });

    expect(asked).toEqual([["GET", "/up?x=1", "demo.localhost:8080"]]);
  });

  it.each([
    ["whole", "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"],
    ["unsaid", "HTTP/1.1 200 OK\r\n\r\nok"],
    ["empty", "HTTP/1.1 200 OK\r\n\r\n"],
    ["empty", "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"],
  ])("says of the body that it is %s: %j", async (body, bytes) => {
    expect(await ask(question(await serveBytes(bytes)))).toEqual({ status: 200, body });
  });

  it("fails where the answer is shorter than it says", async () => {
    const cut = await serveBytes("HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nok");

    expect(await ask(question(cut))).toEqual({ failure: "cut off" });
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
    expect(await ask(question(await serveBytes("")))).toEqual({ failure: "cut off" });
  });

  it("can be called off", async () => {
    const asker = new AbortController();
    const socketPath = await serve(() => asker.abort());

    expect(await ask({ ...question(socketPath), signal: asker.signal })).toEqual({
      failure: "cut off",
    });
  });
});
