import { randomBytes } from "node:crypto";
import { readdirSync } from "node:fs";
import { connect } from "node:net";
import { gzipSync } from "node:zlib";
import { afterEach, beforeAll, describe, expect, it } from "vitest";
import { plainApp } from "../support/apps.ts";
import { eventually, type TestServer } from "../support/server.ts";
import { withApp, withServer } from "../support/with-server.ts";

const pushType = { "content-type": "application/x-git-receive-pack-request" };
const fetchType = { "content-type": "application/x-git-upload-pack-request" };

const routes: [method: string, path: string, headers: Record<string, string>][] = [
  ["GET", "/demo.git/info/refs?service=git-receive-pack", {}],
  ["GET", "/demo.git/info/refs?service=git-upload-pack", {}],
  ["GET", "/new.git/info/refs?service=git-receive-pack", {}],
  ["POST", "/demo.git/git-receive-pack", pushType],
  ["POST", "/demo.git/git-upload-pack", fetchType],
  ["POST", "/demo/git-receive-pack?service=git-upload-pack", pushType],
  ["POST", "/new.git/git-receive-pack", pushType],
  ["GET", "/demo.git/HEAD", {}],
  ["GET", "/demo.git/config", {}],
  ["GET", "/demo.git/objects/info/packs", {}],
  ["OPTIONS", "/demo.git/git-receive-pack", {}],
  ["PUT", "/demo.git/git-receive-pack", {}],
  ["DELETE", "/demo.git", {}],
  ["GET", "/", {}],
];

const credentials: [title: string, headers: Record<string, string>][] = [
  ["no credentials", {}],
  ["a wrong token", { authorization: `Basic ${Buffer.from("admin:wrong").toString("base64")}` }],
  ["an empty token", { authorization: `Basic ${Buffer.from("admin:").toString("base64")}` }],
  ["a bare Basic", { authorization: "Basic" }],
  ["Basic that is not base64", { authorization: "Basic %%%" }],
  ["another scheme", { authorization: "Bearer x" }],
  ["headers of a proxy", { "x-forwarded-user": "admin", "remote-user": "admin" }],
];

describe("the gate", () => {
  const server = withServer();
  const demo = withApp(server, "demo", plainApp("good"));
  let front: number;
  let authorization: string;

  const ask = (
    method: string,
    path: string,
    headers: Record<string, string>,
    body?: Buffer,
  ): ReturnType<TestServer["ask"]> =>
    server.ask({
      host: `git.localhost:${server.port}`,
      method,
      path,
      headers,
      ...(body ? { body } : {}),
    });

  beforeAll(() => {
    front = server.servicePid("front");
    authorization = `Basic ${Buffer.from(`admin:${server.token}`).toString("base64")}`;
  });

  afterEach(async () => {
    expect(server.servicePid("front"), "the front is the process that it was").toBe(front);
    expect((await server.get("demo")).status).toBe(200);
  });

  it.each(credentials)("answers 401 to %s, on every route and method", async (_, headers) => {
    const before = await demo.remoteCommit();
    const forged = Buffer.from(`00000000`);

    for (const [method, path, more] of routes) {
      const answer = await ask(
        method,
        path,
        { ...more, ...headers },
        method === "POST" ? forged : undefined,
      );
      expect([answer.status, method, path]).toEqual([401, method, path]);
      expect(answer.headers["www-authenticate"]).toBe('Basic realm="reeve"');
    }

    expect(readdirSync(server.path("lib/repositories"))).toEqual(["demo.git"]);
    expect(await demo.remoteCommit()).toBe(before);
  });

  it("moves nothing for a push that skips the look at the refs", async () => {
    const before = await demo.remoteCommit();
    const command = `${before} ${"0".repeat(40)} refs/heads/main\0report-status`;
    const line = (command.length + 4).toString(16).padStart(4, "0") + command;

    const answer = await ask(
      "POST",
      "/demo.git/git-receive-pack",
      pushType,
      Buffer.from(`${line}0000`),
    );

    expect(answer.status).toBe(401);
    expect(await demo.remoteCommit()).toBe(before);
  });

  const turnedAway: [
    method: string,
    path: string,
    headers: Record<string, string>,
    status: number,
  ][] = [
    ["GET", "/demo.git/HEAD", {}, 404],
    ["GET", "/demo.git/info/refs", {}, 404],
    ["GET", "/demo.git/info/refs?service=git-receive-pack&service=git-upload-pack", {}, 404],
    ["GET", "/Demo.git/info/refs?service=git-upload-pack", {}, 404],
    ["GET", "/demo.git.git/info/refs?service=git-upload-pack", {}, 404],
    ["GET", "/a.git/x/info/refs?service=git-upload-pack", {}, 404],
    ["GET", "/%2e%2egit/info/refs?service=git-upload-pack", {}, 404],
    ["GET", "/missing.git/info/refs?service=git-upload-pack", {}, 404],
    ["POST", "/missing.git/git-upload-pack", fetchType, 404],
    ["POST", "/demo.git/git-receive-pack", { "content-type": "text/plain" }, 415],
    ["GET", "/demo.git/git-receive-pack", {}, 405],
    ["POST", "/demo.git/info/refs?service=git-receive-pack", pushType, 405],
  ];

  it.each(turnedAway)("turns %s %s away", async (method, path, headers, status) => {
    const answer = await ask(
      method,
      path,
      { authorization, ...headers },
      method === "POST" ? Buffer.from("0000") : undefined,
    );

    expect(answer.status).toBe(status);
    expect(answer.body).toMatch(/^error/);
  });

  it("creates nothing for a look or a fetch", async () => {
    await ask("GET", "/seen.git/info/refs?service=git-receive-pack", { authorization });
    await ask("GET", "/seen.git/info/refs?service=git-upload-pack", { authorization });
    await demo.start("clone", server.remote("seen"), "seen");

    expect(readdirSync(server.path("lib/repositories"))).toEqual(["demo.git"]);
  });

  const bodies: [title: string, headers: Record<string, string>, body: Buffer][] = [
    ["gzip that is none", { "content-encoding": "gzip" }, Buffer.from("this is not gzip")],
    [
      "gzip that breaks off",
      { "content-encoding": "gzip" },
      gzipSync(randomBytes(5000)).subarray(0, 100),
    ],
    ["an empty body that says gzip", { "content-encoding": "gzip" }, Buffer.alloc(0)],
    ["an encoding nobody knows", { "content-encoding": "br" }, Buffer.from("0000")],
    ["two encodings", { "content-encoding": "gzip, gzip" }, gzipSync(gzipSync("0000"))],
    ["nothing at all", {}, Buffer.alloc(0)],
    ["a flush alone", {}, Buffer.from("0000")],
    ["a packet line of nonsense", {}, Buffer.from("zzzz")],
    ["a length beyond the data", {}, Buffer.from("ffff0")],
    ["noise", {}, randomBytes(20_000)],
  ];

  it.each(bodies)("survives %s", async (_, headers, body) => {
    const before = await demo.remoteCommit();

    for (const [path, type] of [
      ["/demo.git/git-receive-pack", pushType],
      ["/demo.git/git-upload-pack", fetchType],
    ] as const) {
      await ask("POST", path, { authorization, ...type, ...headers }, body).catch(() => undefined);
    }

    expect(await demo.remoteCommit()).toBe(before);
  });

  it("survives a client that goes away in the middle of an upload, and so does the next push", async () => {
    for (const sent of [0, 4, 2000]) {
      await new Promise<void>((resolve) => {
        const socket = connect(server.port, "127.0.0.1", () => {
          socket.write(
            `POST /demo.git/git-receive-pack HTTP/1.1\r\nHost: git.localhost\r\nAuthorization: ${authorization}\r\n` +
              `Content-Type: application/x-git-receive-pack-request\r\nContent-Length: 1000000\r\n\r\n`,
          );
          socket.write("0".repeat(sent));
          setTimeout(() => {
            socket.destroy();
            resolve();
          }, 200);
        });
      });
    }

    const push = await demo.deploy(plainApp("good"), "After the storm");

    expect(push.exitCode, push.output).toBe(0);
    await eventually(
      () =>
        !readdirSync(server.path("lib/repositories/demo.git/objects")).some((name) =>
          name.startsWith("tmp_objdir"),
        ),
    );
  });

  it("lets a push end whose client is killed when the upload is complete: what is served is what the ref says", async () => {
    await server.settled("demo");
    demo.write(plainApp("killed", { importFor: 2 }));
    const commit = await demo.commit("Import for two seconds");
    const pushing = demo.start("push", "deploy", "main");
    await eventually(() =>
      readdirSync(server.path("etc/vassals")).some((name) => name.includes(".next-")),
    );

    pushing.kill("SIGKILL");
    await pushing;

    await eventually(async () => (await demo.remoteCommit()) === commit, 20_000);
    expect((await server.get("demo")).body).toBe("killed");
    const push = await demo.deploy(plainApp("good"), "And on");
    expect(push.exitCode, push.output).toBe(0);
  });
});
