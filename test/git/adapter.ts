import { spawn } from "node:child_process";
import { appendFileSync } from "node:fs";
import {
  createServer,
  request as httpRequest,
  type IncomingMessage,
  type Server,
  type ServerResponse,
} from "node:http";
import { join } from "node:path";
import { moveRepository } from "./move-repository.ts";

/** Where the adapter stands: git's tests on one side, reeve on the other. */
export interface Standpoint {
  /** reeve's nginx. */
  port: number;
  /** What reeve has in its repositories' folder is what the tests see as Apache's `www`. */
  repositories: string;
  /** Of the one user that there is. */
  credentials: string;
  /** The folder of the running script that its `access.log` and its broken servers are in. */
  httpd: string;
  /** Who runs the tests, where that is somebody else. */
  user: { uid: number; gid: number } | undefined;
}

/**
 * Says to reeve in its own terms what git's tests ask of the Apache that they are written for
 * (t/lib-httpd/apache.conf): whose turn it is to show credentials, where a redirect leads, which name a
 * repository has. Only what is no server's business but the test's never reaches reeve.
 */
export function makeAdapter(standpoint: Standpoint): Server {
  return createServer({ requestTimeout: 0 }, (request, response) => {
    const url = request.url ?? "";
    const log = logOf(standpoint, request);
    response.on("error", () => undefined);
    const elsewhere = redirect(url);
    const broken = brokenServers.find(([pattern]) => pattern.test(url))?.[1];
    if (elsewhere) {
      log(elsewhere.status, 0);
      response.writeHead(elsewhere.status, { location: elsewhere.path }).end();
    } else if (broken !== undefined) answerBroken(standpoint, broken, request, response);
    else if (lacksMagic(request)) response.writeHead(403).end();
    else forward(standpoint, request, response, log);
  });
}

type Log = (status: number, bytes: number) => void;

/** As Apache writes it, and before the client can have read the answer to its end. */
function logOf({ httpd }: Standpoint, { method, url, httpVersion }: IncomingMessage): Log {
  return (status, bytes) => {
    const asked = `${method ?? ""} ${url ?? ""} HTTP/${httpVersion}`;
    const line = `127.0.0.1 - - [-] "${asked}" ${status} ${bytes || "-"}\n`;
    appendFileSync(join(httpd, "access.log"), line);
  };
}

const redirects: [pattern: RegExp, status: number, path: string][] = [
  [/^\/smart-redir-perm\/(.*)$/, 301, "/smart/$1"],
  [/^\/smart-redir-temp\/(.*)$/, 302, "/smart/$1"],
  [/^\/smart-redir-auth\/(.*)$/, 301, "/auth/smart/$1"],
  [/^\/smart-redir-limited\/(.*\/info\/refs.*)$/, 301, "/smart/$1"],
  [/^\/insane-redir\/([^?]*)(\?.*)?$/, 301, "/intern-redir/$1/foo$2"],
];

function redirect(url: string): { status: number; path: string } | undefined {
  const found = redirects.find(([pattern]) => pattern.test(url));
  return found && { status: found[1], path: url.replace(found[0], found[2]) };
}

/**
 * Servers that answer wrongly on purpose: the suite's own scripts, which test git's client alone. Two more break
 * off in version 2 of the protocol; a client that speaks version 0 would wait for ever for the rest.
 */
const brokenServers: [pattern: RegExp, script: string][] = [
  [/^\/broken_smart\//, "broken-smart-http.sh"],
  [/^\/error_smart\//, "error-smart-http.sh"],
  [/^\/smart\/no_report\/git-receive-pack$/, "error-no-report.sh"],
];

function answerBroken(
  { httpd, user }: Standpoint,
  script: string,
  request: IncomingMessage,
  response: ServerResponse,
): void {
  request.resume();
  const cgi = spawn(join(httpd, script), { cwd: httpd, ...user });
  const said: Buffer[] = [];
  cgi.stdout.on("data", (chunk: Buffer) => said.push(chunk));
  cgi.once("close", () => {
    const text = Buffer.concat(said).toString("latin1");
    const [, type = "", body = ""] = /^Content-Type: (.*)\n\n([^]*)$/.exec(text) ?? [];
    response.writeHead(200, { "content-type": type }).end(body, "latin1");
  });
}

function lacksMagic({ url, headers }: IncomingMessage): boolean {
  const isMagic = headers["x-magic-one"] === "abra" && headers["x-magic-two"] === "cadabra";
  return url?.startsWith("/smart_headers/") === true && !isMagic;
}

/** `/smart/`, the same with something that Apache adds to it, and behind a password that not every question needs. */
const place =
  /^\/(?:(auth|auth-push|auth-fetch|half-auth-complete)\/)?(smart[a-z_0-9]*|one_time_perl|intern-redir)\/([^/?]+)((?:\/[^?]*)?)(\?.*)?$/;

function forward(
  standpoint: Standpoint,
  request: IncomingMessage,
  response: ServerResponse,
  log: Log,
): void {
  const [, space, kind = "", name = "", rest = "", query = ""] =
    place.exec(request.url ?? "") ?? [];
  if (name === "") {
    log(404, 0);
    response.writeHead(404).end();
    return;
  }
  const app = moveRepository(standpoint.repositories, name);
  const path = kind === "intern-redir" ? rest.replace(/\/foo$/, "") : rest;
  const headers = { ...request.headers, host: `git.localhost:${standpoint.port}` };
  if (!asksForPassword(space, path, query))
    headers.authorization = `Basic ${Buffer.from(standpoint.credentials).toString("base64")}`;

  const onward = httpRequest({
    host: "127.0.0.1",
    port: standpoint.port,
    agent: false,
    method: request.method,
    path: `/${app}.git${path}${query}`,
    headers,
  });
  request.pipe(onward);
  onward.on("error", () => response.destroy());
  response.on("close", () => onward.destroy());
  onward.once("response", (reply) => {
    const status = reply.statusCode ?? 502;
    if (kind === "smart_cookies") response.setHeader("set-cookie", "name=value");
    // About the connection to nginx, and not the one to the client.
    delete reply.headers.connection;
    response.writeHead(status, reply.statusMessage, reply.headers);
    let bytes = 0;
    reply.on("data", (chunk: Buffer) => (bytes += chunk.length));
    reply.once("end", () => log(status, bytes));
    reply.on("error", () => response.destroy());
    reply.pipe(response);
  });
}

/** Where Apache lets everybody in, the adapter shows the credentials to reeve, which lets in nobody without. */
function asksForPassword(space: string | undefined, path: string, query: string): boolean {
  switch (space) {
    case "auth":
      return true;
    case "auth-push":
      return path === "/git-receive-pack";
    case "auth-fetch":
      return path === "/git-upload-pack";
    case "half-auth-complete":
      return path === "/git-receive-pack" || query === "?service=git-receive-pack";
    default:
      return false;
  }
}
