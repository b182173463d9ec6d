import { spawn } from "node:child_process";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { childrenOf } from "../../src/host/processes.ts";
import { eventually, projectRoot, TestServer } from "../support/server.ts";
import type { Workspace } from "../support/workspace.ts";

const isLong = process.env["ROUNDS"] !== undefined;
const visitors = isLong ? 20_000 : 3000;
/** In the short form the bound is scaled with the flood. */
const bound = isLong ? [] : ["connections = 8000"];
const addresses = ["127.0.0.1", "127.0.0.2", "127.0.0.3", "127.0.0.4"];

/** Answers with as many cookies as its address asks for, or with more than anybody's buffers hold. */
const app = {
  "app.py": `from urllib.parse import parse_qsl

def app(environ, start_response):
    cookies = parse_qsl(environ["QUERY_STRING"])
    start_response("200 OK", [("Set-Cookie", value) for name, value in cookies])
    return [b"x" * 300_000 if environ["PATH_INFO"] == "/large" else b"good"]
`,
};

let server: TestServer;
let demo: Workspace;

beforeAll(async () => {
  server = await TestServer.start(bound);
  demo = await server.workspace("demo", app);
  const { exitCode, output } = await demo.push();
  expect(exitCode, output).toBe(0);
  await server.settled("demo");
});
afterAll(() => server.remove());

describe("W8: connections that somebody holds open", () => {
  const post = (host: string, body: string): string =>
    `POST /demo.git/git-receive-pack HTTP/1.1\r\nHost: ${host}.localhost\r\nContent-Length: 99999\r\n\r\n${body}`;
  const get = (path: string, more = ""): string =>
    `GET ${path} HTTP/1.1\r\nHost: demo.localhost\r\n${more}\r\n`;

  it.each([
    ["say nothing", ""],
    ["begin a request", "GET / HTTP/1.1\r\nHost: "],
    ["begin a body for an app", post("demo", "x")],
    ["begin a body that goes to the disk", post("demo", "x".repeat(9000))],
    ["begin a body for git", post("git", "x")],
    ["begin a body for nobody", post("nosuch", "x")],
    ["are kept after an answer", get("/")],
    ["ask for another protocol", get("/", "Connection: Upgrade\r\nUpgrade: websocket\r\n")],
    ["do not read their answer", get("/large")],
  ])("and that %s keep neither apps nor git from answering", async (_, words) => {
    const floods = await Promise.all(
      addresses.map((address) => flood(visitors / addresses.length, address, words)),
    );

    try {
      // What was asked in full is the app's to work off: its queue may be full until then.
      await eventually(async () => (await server.get("demo")).status === 200);
      const statuses = [];
      for (let round = 0; round < 5; round++) {
        statuses.push((await server.get("demo")).status);
        const { exitCode } = await demo.start("ls-remote", server.remote("demo"));
        statuses.push(exitCode);
      }
      expect(statuses).toEqual(Array.from({ length: 5 }, () => [200, 0]).flat());
      expect(await memoryOfWorkers()).toBeLessThan(isLong ? 900 : 200);
    } finally {
      await Promise.all(floods.map((end) => end()));
    }
  });
});

/** Resolves when all of them were tried, to what lets go of them. */
async function flood(count: number, source: string, words: string): Promise<() => Promise<void>> {
  const program = join(projectRoot, "test/support/flood.py");
  const child = spawn("python3", [program, `${server.port}`, `${count}`, source, words], {
    stdio: ["pipe", "pipe", "inherit"],
  });
  await once(child.stdout, "data");
  return async () => {
    const gone = once(child, "exit");
    child.stdin.end();
    await gone;
  };
}

/** MiB that nginx's workers hold together. */
async function memoryOfWorkers(): Promise<number> {
  const pids = await childrenOf(Number(server.read("run/nginx.pid")));
  const kilobytes = pids.map((pid) => {
    const status = readFileSync(`/proc/${pid}/status`, "utf8");
    return Number(/^VmRSS:\s+(\d+)/m.exec(status)?.[1]);
  });
  return kilobytes.reduce((sum, each) => sum + each, 0) / 1024;
}

describe("W9: a cookie", () => {
  it.each([
    ["a=b; Domain=localhost", "a=b; Domain=demo.localhost"],
    ["a=b; Domain=.localhost", "a=b; Domain=demo.localhost"],
    ["a=b; domain=localhost.", "a=b; domain=demo.localhost"],
    ["a=b; DOMAIN=LOCALHOST", "a=b; DOMAIN=demo.localhost"],
    ["a=b;  Domain = localhost ;Path=/", "a=b; Domain=demo.localhost; Path=/"],
    ['a="x"; Domain="localhost"', 'a="x"; Domain=demo.localhost'],
    [
      "a=b; Domain=demo.localhost; Domain=localhost",
      "a=b; Domain=demo.localhost; Domain=demo.localhost",
    ],
    ["=b; Secure; Domain=localhost", "=b; Secure; Domain=demo.localhost"],
    ["a=b; Path=/; HttpOnly", "a=b; Path=/; HttpOnly"],
    ["a=b; Domain=", "a=b; Domain="],
  ])("of the form %j is for no sibling of the app's: %j", async (given, got) => {
    const query = new URLSearchParams({ first: "z=1; Domain=localhost", second: given });

    const { headers } = await server.get("demo", `/?${query.toString()}`);

    expect(headers["set-cookie"]).toEqual(["z=1; Domain=demo.localhost", got]);
  });

  it("is what the app says where the administrator has said so", async () => {
    await server.reeve("options", "demo", "set", "cookie_domain=any");
    await server.reeve("redeploy", "demo");
    const query = new URLSearchParams({ first: "a=b; Domain=localhost" });

    const { headers } = await server.get("demo", `/?${query.toString()}`);

    expect(headers["set-cookie"]).toEqual(["a=b; Domain=localhost"]);
  });
});
