import { execFileSync, spawn } from "node:child_process";
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import type { IncomingMessage, ServerResponse } from "node:http";
import { createServer, type Server } from "node:https";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";

const identity = {
  PATH: process.env["PATH"] ?? "",
  HOME: "/nonexistent",
  GIT_CONFIG_NOSYSTEM: "1",
  GIT_CONFIG_GLOBAL: "/dev/null",
  GIT_AUTHOR_NAME: "Ada",
  GIT_AUTHOR_EMAIL: "ada@example.org",
  GIT_COMMITTER_NAME: "Ada",
  GIT_COMMITTER_EMAIL: "ada@example.org",
};

/** What a file holds, or a commit of another repository. */
export type Content = string | Buffer | { commit: string };

/** A server of git over https, with a certificate of its own making, that lets everybody read. */
export class GitHost {
  readonly #folder = mkdtempSync(join(tmpdir(), "reeve-host-"));
  readonly #server: Server;
  /** What was asked of it. */
  readonly asked: string[] = [];
  /** Called for each question below /hanging/, which gets no answer. */
  onHanging: () => void = () => undefined;

  private constructor() {
    chmodSync(this.#folder, 0o755);
    const names = "subjectAltName=DNS:localhost";
    const key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"];
    const subject = ["-subj", "/CN=localhost", "-addext", names, "-days", "2"];
    const files = ["-keyout", join(this.#folder, "key.pem"), "-out", this.caFile];
    execFileSync("openssl", ["req", "-x509", ...key, ...subject, ...files], { stdio: "ignore" });
    this.#server = createServer(
      { key: readFileSync(join(this.#folder, "key.pem")), cert: readFileSync(this.caFile) },
      (request, response) => this.#answer(request, response),
    );
  }

  static async start(): Promise<GitHost> {
    const host = new GitHost();
    await new Promise<void>((resolve) => host.#server.listen(0, "127.0.0.1", resolve));
    return host;
  }

  get caFile(): string {
    return join(this.#folder, "ca.pem");
  }

  get name(): string {
    return `localhost:${(this.#server.address() as AddressInfo).port}`;
  }

  url(repository: string): string {
    return `https://${this.name}/${repository}.git`;
  }

  /** Adds a commit with these files, and no others, to a repository; the commit's id. */
  commit(repository: string, files: Record<string, Content>): string {
    const path = join(this.#folder, "repositories", `${repository}.git`);
    const work = mkdtempSync(join(this.#folder, "work-"));
    const git = (...words: string[]): string =>
      execFileSync("git", [`--git-dir=${path}`, `--work-tree=${work}`, ...words], {
        cwd: work,
        env: identity,
        encoding: "utf8",
      }).trim();
    mkdirSync(path, { recursive: true });
    if (!existsSync(join(path, "HEAD"))) git("init", "--quiet", "--initial-branch=main");
    for (const [name, content] of Object.entries(files)) {
      if (isLink(content)) continue;
      mkdirSync(dirname(join(work, name)), { recursive: true });
      writeFileSync(join(work, name), content);
    }
    git("rm", "-r", "--cached", "--quiet", "--ignore-unmatch", ".");
    git("add", "--all", "--force");
    for (const [name, content] of Object.entries(files))
      if (isLink(content))
        git("update-index", "--add", "--cacheinfo", `160000,${content.commit},${name}`);
    git("commit", "--quiet", "--allow-empty", "--message", "A change");
    const commit = git("rev-parse", "HEAD");
    rmSync(work, { recursive: true });
    return commit;
  }

  stop(): void {
    this.#server.closeAllConnections();
    this.#server.close();
    rmSync(this.#folder, { recursive: true, force: true });
  }

  /** The first folder of the path says how it answers; without one of these, as everybody else. */
  #answer(request: IncomingMessage, response: ServerResponse): void {
    const url = new URL(request.url ?? "/", "https://localhost");
    this.asked.push(url.pathname);
    const [, how = ""] = url.pathname.split("/");
    const rest = url.pathname.slice(how.length + 1);
    if (how === "moved") response.writeHead(301, { location: `${rest}${url.search}` }).end();
    else if (how === "closed") response.writeHead(401, { "www-authenticate": "Basic" }).end();
    else if (how === "hanging") this.onHanging();
    // Without the header that asks for version 2, git gives no commit that no branch names.
    else if (how === "old") this.#run({ headers: {}, path: rest, url, request }, response);
    else this.#run({ headers: request.headers, path: url.pathname, url, request }, response);
  }

  /** git-http-backend(1), as a web server runs it. */
  #run(
    asked: {
      headers: IncomingMessage["headers"];
      path: string;
      url: URL;
      request: IncomingMessage;
    },
    response: ServerResponse,
  ): void {
    const { headers, path, url, request } = asked;
    const backend = spawn("git", ["http-backend"], {
      env: {
        ...identity,
        GIT_PROJECT_ROOT: join(this.#folder, "repositories"),
        GIT_HTTP_EXPORT_ALL: "1",
        PATH_INFO: path,
        QUERY_STRING: url.search.slice(1),
        REQUEST_METHOD: request.method ?? "GET",
        CONTENT_TYPE: request.headers["content-type"] ?? "",
        HTTP_CONTENT_ENCODING: request.headers["content-encoding"] ?? "",
        GIT_PROTOCOL: String(headers["git-protocol"] ?? ""),
      },
      stdio: ["pipe", "pipe", "ignore"],
    });
    request.pipe(backend.stdin);
    const chunks: Buffer[] = [];
    backend.stdout.on("data", (chunk: Buffer) => chunks.push(chunk));
    backend.on("close", () => {
      const whole = Buffer.concat(chunks);
      const end = whole.indexOf("\r\n\r\n");
      for (const line of whole.subarray(0, end).toString().split("\r\n")) {
        const [name = "", value = ""] = line.split(": ", 2);
        if (name === "Status") response.statusCode = Number(value.slice(0, 3));
        else if (name !== "") response.setHeader(name, value);
      }
      response.end(whole.subarray(end + 4));
    });
  }
}

function isLink(content: Content): content is { commit: string } {
  return typeof content === "object" && "commit" in content;
}
