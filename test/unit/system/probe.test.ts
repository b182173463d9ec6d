import { createServer, type RequestListener } from "node:http";
import { createServer as createSocketServer } from "node:net";
import { join } from "node:path";
import { describe, expect, it, onTestFinished } from "vitest";
import { ask } from "../../../src/system/probe.ts";
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

function request(socketPath: string, within = 5000) {
  return { socketPath, path: "/up?x=1", headers: { Host: "demo.localhost:8080" }, within };
}

describe("asking an app over its socket", () => {
  it("says the path and the host that nginx would say, and brings back the status", async () => {
    const asked: unknown[] = [];
    const socketPath = await serve((request, response) => {
      asked.push([request.method, request.url, request.headers.host]);
      response.writeHead(418).end("x".repeat(100_000));
    });

    expect(await ask(request(socketPath))).toEqual({ status: 418, body: "whole" });

    expect(asked).toEqual([["GET", "/up?x=1", "demo.localhost:8080"]]);
  });

  it.each([
    ["whole", "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"],
    ["unsaid", "HTTP/1.1 200 OK\r\n\r\nok"],
    ["empty", "HTTP/1.1 200 OK\r\n\r\n"],
    ["empty", "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"],
  ])("says of the body that it is %s: %j", async (body, bytes) => {
    expect(await ask(request(await serveBytes(bytes)))).toEqual({ status: 200, body });
  });

  it("fails where the answer is shorter than it says", async () => {
    const cut = await serveBytes("HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nok");

    expect(await ask(request(cut))).toEqual({ failure: "cut off" });
  });

  it("fails where nobody listens", async () => {
    expect(await ask(request(join(temporaryFolder(), "none.sock")))).toEqual({
      failure: "nobody listens",
    });
  });

  it("fails when the time is up, whether or not the answer had begun", async () => {
    const silent = await serve(() => undefined);
    const endless = await serve((_, response) => void response.writeHead(200).write("so far"));

    expect(await ask(request(silent, 50))).toEqual({ failure: "no answer in time" });
    expect(await ask(request(endless, 50))).toHaveProperty("failure");
  });

  it("fails when the app closes the connection without an answer", async () => {
    expect(await ask(request(await serveBytes("")))).toEqual({ failure: "cut off" });
  });

  it("can be called off", async () => {
    const asker = new AbortController();
    const socketPath = await serve(() => asker.abort());

    expect(await ask({ ...request(socketPath), signal: asker.signal })).toEqual({
      failure: "cut off",
    });
  });
});
