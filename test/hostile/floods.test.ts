import { spawn } from "node:child_process";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { connect, type Socket } from "node:net";
import { join } from "node:path";
import { beforeAll, describe, expect, it } from "vitest";
import { embeddedLayout } from "../../src/config/layout.ts";
import { LocalSystem } from "../../src/system/system.ts";
import { childrenOf } from "../../src/system/processes.ts";
import { Turns } from "../../src/system/turns.ts";
import { reloadNginx, type Nginx } from "../../src/agent/vhost/nginx.ts";
import { pushRequest } from "../support/packs.ts";
import { processesUnder } from "../support/processes.ts";
import { followersOf, SshClient } from "../support/ssh.ts";
import { makePerson, type Person } from "../support/people.ts";
import { eventually, projectRoot, type Answer } from "../support/server.ts";
import { withApp, withServer } from "../support/with-server.ts";

const isLong = process.env["ROUNDS"] !== undefined;
const visitors = isLong ? 20_000 : 3000;
/** In the short form the bound is scaled with the flood. */
const bound = isLong ? [] : ["connections = 8000", "git_sessions = 4", "git_sessions_each = 2"];
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

const server = withServer(bound, { visited: true, ssh: true });
const demo = withApp(server, "demo", app);
let ada: Person;

beforeAll(async () => {
  await server.settled("demo");
  ada = await makePerson(server, "ada", { demo: "deploy" });
});

/** What a visitor sees, and one who fetches over HTTP: 200 and 0 where all is well. */
async function look(): Promise<(number | undefined)[]> {
  const { status } = await server.get("demo");
  const { exitCode } = await demo.start("ls-remote", server.remote("demo"));
  return [status, exitCode];
}

const well = [200, 0];

describe("W8: connections that somebody holds open", () => {
  const post = (host: string, body: string): string =>
    `POST /demo.git/git-receive-pack HTTP/1.1\r\nHost: ${host}.localhost\r\nContent-Length: 99999\r\n\r\n${body}`;
  const get = (path: string, more = ""): string =>
    `GET ${path} HTTP/1.1\r\nHost: demo.localhost\r\n${more}\r\n`;
  /** What was asked in full is the app's to work off: its queue may be full until then. */
  const isAsked = true;

  it.each<[title: string, words: string, isAsked?: boolean]>([
    ["say nothing", ""],
    ["begin a request", "GET / HTTP/1.1\r\nHost: "],
    ["begin a body for an app", post("demo", "x")],
    ["begin a body that goes to the disk", post("demo", "x".repeat(9000))],
    ["begin a body for git", post("git", "x")],
    ["begin a body for nobody", post("nosuch", "x")],
    ["are kept after an answer", get("/"), isAsked],
    [
      "ask for another protocol",
      get("/", "Connection: Upgrade\r\nUpgrade: websocket\r\n"),
      isAsked,
    ],
    ["do not read their answer", get("/large"), isAsked],
    ["begin with TLS", "\x16\x03\x01\x02"],
    ["begin with HTTP/2", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"],
  ])(
    "and that %s keep neither apps nor git from answering",
    async (_, words, hasToWait = false) => {
      const end = await flood(server.port, words);

      try {
        if (hasToWait) await eventually(async () => (await server.get("demo")).status === 200);
        for (let round = 0; round < 5; round++) expect(await look()).toEqual(well);
        expect(memoryOf(await nginxWorkers())).toBeLessThan(isLong ? 900 : 200);
      } finally {
        await end();
      }
    },
  );
});

describe("W8: pushes of one account of which only a beginning comes", () => {
  it("leave the others' gits alone, and what is too many of them is told so at once", async () => {
    const eve = await makePerson(server, "eve", { demo: "deploy" });
    const end = await flood(server.port, `${pushRequest(eve, 999)}00`, 80);

    try {
      const more = (): Promise<Answer> =>
        server.receivePack("demo", "0000", `${eve.name}:${eve.token}`);
      await eventually(async () => (await more()).status === 503);
      expect((await more()).body).toMatch(
        /^error\[RESOURCES_EXHAUSTED\]: eve has \d pushes and fetches under way/,
      );
      expect(await look()).toEqual(well);
      expect((await demo.push("+HEAD:main")).exitCode).toBe(0);
    } finally {
      await end();
    }
  });
});

/** From four processes and four addresses. Resolves when all were tried, to what lets go of them. */
async function flood(port: number, words: string, count = visitors): Promise<() => Promise<void>> {
  const each = addresses.map((address) =>
    floodFrom(address, port, words, count / addresses.length),
  );
  const floods = await Promise.all(each);
  return async () => {
    await Promise.all(floods.map((end) => end()));
  };
}

async function floodFrom(
  source: string,
  port: number,
  words: string,
  count: number,
): Promise<() => Promise<void>> {
  const program = join(projectRoot, "test/support/flood.py");
  const child = spawn("python3", [program, `${port}`, `${count}`, source, words], {
    stdio: ["pipe", "pipe", "inherit"],
  });
  await once(child.stdout, "data");
  return async () => {
    const gone = once(child, "exit");
    child.stdin.end();
    await gone;
  };
}

function nginxWorkers(): Promise<number[]> {
  return childrenOf(Number(server.read("run/nginx.pid")));
}

/** MiB that processes hold together. */
function memoryOf(pids: number[]): number {
  const kilobytes = pids.map((pid) => {
    const rollup = readFileSync(`/proc/${pid}/smaps_rollup`, "utf8");
    return Number(/^Pss:\s+(\d+)/m.exec(rollup)?.[1]);
  });
  return kilobytes.reduce((sum, each) => sum + each, 0) / 1024;
}

describe("W8: uploads that do not end", () => {
  it("are none of a deploy's that changes the code alone: nginx is let alone", async () => {
    const before = await nginxWorkers();

    const { exitCode, output } = await demo.deploy({ "more.py": "" }, "More code");

    expect(exitCode, output).toBe(0);
    await server.settled("demo");
    expect(await nginxWorkers()).toEqual(before);
  });

  it("keep so many former workers over nginx's reloads and no more, the latest of them", async () => {
    const uploads: Socket[] = [];
    for (let reload = 0; reload < 50; reload++) {
      for (let count = 0; count < 4; count++) uploads.push(await beginUpload());
      await reloadNginx(new LocalSystem(), nginx());
      if (reload % 10 === 0) expect(await look()).toEqual(well);
    }

    const workers = await nginxWorkers();
    expect(workers.length).toBeLessThanOrEqual(32 + 4);
    expect(memoryOf(workers)).toBeLessThan(isLong ? 500 : 150);
    const latest = uploads.at(-1) as Socket;
    latest.write("x");
    expect(String(await once(latest, "data"))).toContain("200 OK");
    for (const upload of uploads) upload.destroy();
    await eventually(async () => (await nginxWorkers()).length === 4);
  });
});

/** As the agent knows it. */
function nginx(): Nginx {
  const { nginx: prefix, nginxConfiguration, nginxPid, ...layout } = embeddedLayout(server.home);
  const { sitesAvailable: available, sitesEnabled: enabled, sharedHosts } = layout;
  return {
    ...{ prefix, configuration: nginxConfiguration, pidFile: nginxPid },
    sites: { available, enabled, sharedHosts },
    turns: new Turns(),
  };
}

/** All but the last byte of it has arrived when this resolves. */
async function beginUpload(): Promise<Socket> {
  const upload = connect(server.port, "127.0.0.1");
  upload.on("error", () => undefined);
  // The answer to the first request comes by the worker that has the second.
  upload.write("GET / HTTP/1.1\r\nHost: demo.localhost\r\n\r\n");
  await once(upload, "data");
  upload.write("POST / HTTP/1.1\r\nHost: demo.localhost\r\nContent-Length: 2\r\n\r\nx");
  return upload;
}

describe("W10: connections to sshd", () => {
  const push = async (): Promise<{ exitCode?: number; all: string }> => {
    const ssh = `core.sshCommand=${ada.ssh.gitSshCommand}`;
    return demo.start("-c", ssh, "push", ada.ssh.remote("demo"), "+HEAD:main");
  };

  it.each([
    ["say nothing", ""],
    ["say what they are and nothing else", "SSH-2.0-visitor\r\n"],
    ["say no word of SSH", "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"],
  ])("that %s and are few keep nobody out", async (_, words) => {
    const end = await flood(server.sshPort, words, 160);

    const { exitCode, all } = await push().finally(end);

    expect(exitCode, all).toBe(0);
  });

  it("that say nothing and are thousands keep others out for seconds, over SSH alone, and take memory for so many", async () => {
    const end = await flood(server.sshPort, "", isLong ? visitors : 1000);

    try {
      expect(await look()).toEqual(well);
      const held = processesUnder(server.home).filter(({ title }) => title.startsWith("sshd:"));
      expect(held.length).toBeGreaterThan(200);
      expect(held.length).toBeLessThanOrEqual(2 * 400 + 1);
      expect(memoryOf(held.map(({ pid }) => pid))).toBeLessThan(800);
      await eventually(async () => (await push()).exitCode === 0, 40_000);
    } finally {
      await end();
    }
  });

  it("of one key that run what does not end leave the others' pushes alone, and are told what to do", async () => {
    const bob = await makePerson(server, "bob", { demo: "admin" });
    const running = (): number => followersOf(server).length;
    const told: string[] = [];
    const held = Array.from({ length: isLong ? 72 : 60 }, (_, at) => {
      const command = at % 10 === 0 ? "git-receive-pack 'demo'" : "logs demo -f";
      const words = [...bob.ssh.options, `${SshClient.user}@127.0.0.1`, "--", command];
      const client = spawn("ssh", words, { stdio: ["pipe", "ignore", "pipe"] });
      client.stderr.on("data", (chunk: Buffer) => told.push(String(chunk)));
      return client;
    });

    try {
      const each = isLong ? 8 : 2;
      await eventually(() => running() === each && told.length > 0, 60_000);
      const { exitCode, all } = await push();
      expect(exitCode, all).toBe(0);
      expect((await ada.ssh.run("show demo")).exitCode).toBe(0);
      expect(running()).toBe(each);
      expect(told.join("")).toMatch(
        /^error\[RESOURCES_EXHAUSTED\]: bob has \d commands under way.*\nhint: Try again/m,
      );
    } finally {
      for (const client of held) client.kill("SIGKILL");
    }
    await eventually(() => running() === 0);
  });
});

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
