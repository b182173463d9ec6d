import { execFileSync, spawn, spawnSync, type ChildProcess } from "node:child_process";
import {
  chmodSync,
  chownSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  symlinkSync,
} from "node:fs";
import { request as httpRequest } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { execa } from "execa";
import { embeddedLayout } from "../../src/config/layout.ts";
import { callVerb } from "../../src/protocol/channel.ts";
import type { CommandName, CommandRequest, CommandResponse } from "../../src/protocol/commands.ts";
import { freePort } from "./ports.ts";
import { processesUnder } from "./processes.ts";
import { Workspace } from "./workspace.ts";

export const projectRoot = fileURLToPath(new URL("../../", import.meta.url));

export interface Answer {
  status: number;
  body: string;
  headers: NodeJS.Dict<string | string[]>;
}

export interface Outcome {
  exitCode: number;
  /** Standard output and standard error, as a person sees them. */
  output: string;
}

export interface Circumstances {
  /** The number of the user, and of the group, that it runs as. */
  user?: number;
  /** Without uv, environments are built by pip. */
  uv?: boolean;
  /** With an sshd, at a port of its own. */
  ssh?: boolean;
  /** Somebody looks for what visitors notice of deploys: a queue gets its second to empty, which else is a twentieth. */
  visited?: boolean;
  /** Added to what `reeve up` has in its environment. */
  environment?: Record<string, string>;
  /** A command that starts it in other circumstances. */
  wrapper?: string[];
  /** Its folder, where it is not to be one of its own below /tmp, and its port. */
  home?: string;
  port?: number;
}

/** The program that is tested: the one of this checkout, or of another that is compared with it. */
export const program = process.env["REEVE_TEST_PROGRAM"] ?? join(projectRoot, "dist/main.js");

/** Where it is. */
interface Place {
  home: string;
  port: number;
  /** 0: there is no sshd. */
  sshPort: number;
  workspaces: string;
}

/** The real embedded server, in a folder and on a port of its own. */
export class TestServer {
  readonly #options: string[];
  readonly #circumstances: Circumstances;
  #place: Place | undefined;
  #process: ChildProcess | undefined;
  #said = "";

  /** One that is nowhere until it begins. `options` are lines of its server.toml. */
  constructor(options: string[] = [], circumstances: Circumstances = {}) {
    this.#options = options;
    this.#circumstances = circumstances;
  }

  /** A server that runs. */
  static async start(options?: string[], circumstances?: Circumstances): Promise<TestServer> {
    const server = new TestServer(options, circumstances);
    try {
      await server.begin();
      return server;
    } catch (error) {
      // A folder that it was given may have more in it than what this start has made.
      await (circumstances?.home === undefined ? server.remove() : server.interrupt());
      throw error;
    }
  }

  /** Gives it its place and starts it. What it is given is there to be removed, also where it does not start. */
  async begin(): Promise<void> {
    const { home: given, port, ssh, user, uv } = this.#circumstances;
    const home = given ?? mkdtempSync(join(tmpdir(), "reeve-"));
    const workspaces = mkdtempSync(join(tmpdir(), "reeve-work-"));
    this.#place = { home, workspaces, port: port ?? 0, sshPort: 0 };
    this.#place.port = port ?? (await freePort());
    if (ssh) this.#place.sshPort = await freePort();
    mkdirSync(home, { recursive: true });
    chmodSync(home, 0o755);
    if (user !== undefined) chownSync(home, user, user);
    if (uv !== false && !existsSync(join(home, "tools")))
      symlinkSync(sharedTools(), join(home, "tools"));
    if (this.#options.length > 0)
      await this.write("etc/server.toml", `${this.#options.join("\n")}\n`);
    await this.up();
  }

  /** Starts it (again); resolves when it prints its ready lines. */
  async up(variables: Record<string, string> = {}): Promise<void> {
    this.#said = "";
    const { user, environment = {}, wrapper = [] } = this.#circumstances;
    const hurry = this.isVisited ? {} : { REEVE_DRAIN: "50" };
    const [file, ...words] = [...wrapper, process.execPath, program, "up"];
    const child = spawn(file, words, {
      env: {
        // A machine that the units' tests run beside counts from where reeve counts by itself.
        REEVE_FIRST_USER_ID: "35000",
        ...process.env,
        ...hurry,
        ...environment,
        REEVE_HOME: this.home,
        REEVE_PORT: String(this.port),
        REEVE_SSH_PORT: String(this.sshPort),
        ...variables,
      },
      stdio: ["ignore", "pipe", "pipe"],
      ...(user === undefined ? {} : { uid: user, gid: user }),
    });
    this.#process = child;
    for (const stream of [child.stdout, child.stderr]) {
      stream.on("data", (chunk: Buffer) => (this.#said += chunk.toString()));
    }
    await eventually(() => this.#said.includes("Ctrl-C") || child.exitCode !== null, 30_000);
    if (child.exitCode !== null) throw new Error(`reeve did not start:\n${this.#said}`);
  }

  /** What Ctrl-C does. Resolves to its exit code. */
  async interrupt(signal: NodeJS.Signals = "SIGINT"): Promise<number | null> {
    const child = this.#process;
    if (!child) return null;
    this.#process = undefined;
    const gone = new Promise<void>((resolve) => child.once("exit", () => resolve()));
    if (child.exitCode === null && child.signalCode === null) {
      child.kill(signal);
      await gone;
    }
    return child.exitCode;
  }

  async remove(): Promise<void> {
    if (!this.#place) return;
    await this.interrupt();
    removeUsers(this.home);
    rmSync(this.home, { recursive: true, force: true });
    rmSync(this.workspaces, { recursive: true, force: true });
  }

  get isVisited(): boolean {
    return this.#circumstances.visited ?? false;
  }

  get home(): string {
    return this.#at.home;
  }

  get port(): number {
    return this.#at.port;
  }

  get sshPort(): number {
    return this.#at.sshPort;
  }

  get workspaces(): string {
    return this.#at.workspaces;
  }

  get #at(): Place {
    if (!this.#place) throw new Error("the server has not begun");
    return this.#place;
  }

  get said(): string {
    return this.#said;
  }

  get pid(): number {
    return this.#process?.pid ?? 0;
  }

  get token(): string {
    return readFileSync(join(this.home, "lib/front/token"), "utf8").trim();
  }

  remote(app: string, credentials = `admin:${this.token}`): string {
    return `http://${credentials}${credentials && "@"}git.localhost:${this.port}/${app}.git`;
  }

  /** The same, at the address that every client finds: not all know names below localhost. */
  remoteBelow(app: string, credentials = `admin:${this.token}`): string {
    return `http://${credentials}${credentials && "@"}localhost:${this.port}/git/${app}.git`;
  }

  path(...parts: string[]): string {
    return join(this.home, ...parts);
  }

  async write(path: string, text: string): Promise<void> {
    const { mkdir, writeFile } = await import("node:fs/promises");
    await mkdir(join(this.home, path, ".."), { recursive: true });
    await writeFile(join(this.home, path), text);
  }

  read(...parts: string[]): string {
    return readFileSync(this.path(...parts), "utf8");
  }

  /** A git repository to push from, with these files in its first commit. */
  async workspace(
    app: string,
    files: Record<string, string>,
    workspace = new Workspace(),
  ): Promise<Workspace> {
    const folder = mkdtempSync(join(this.workspaces, `${app}-`));
    return workspace.begin(folder, this.remote(app), files);
  }

  /** Runs `reeve …` as the administrator does. */
  async reeve(...words: string[]): Promise<Outcome> {
    const result = await execa(process.execPath, [program, ...words], {
      env: { REEVE_HOME: this.home, REEVE_PORT: String(this.port) },
      all: true,
      reject: false,
      input: "",
    });
    return { exitCode: result.exitCode ?? -1, output: result.all };
  }

  /** Asks what a command asks, as the administrator, without a process that costs more than the answer. */
  async command<N extends CommandName>(
    name: N,
    request: CommandRequest<N>,
  ): Promise<CommandResponse<N>> {
    const { controlSocket } = embeddedLayout(this.home);
    const whenDown = "no server answers";
    const answer = await callVerb(controlSocket, name, request, { whenDown });
    return answer as CommandResponse<N>;
  }

  /** Whether front and agent answer. */
  isUp(): Promise<boolean> {
    const yes = (): boolean => true;
    return this.command("apps", {}).then(yes, () => false);
  }

  async json<T>(...words: string[]): Promise<T> {
    const { exitCode, output } = await this.reeve(...words, "--json");
    if (exitCode !== 0) throw new Error(output);
    return JSON.parse(output) as T;
  }

  /** Asks nginx, as a browser does; names below localhost need no DNS here. */
  async get(app: string, path = "/", headers: Record<string, string> = {}): Promise<Answer> {
    return this.ask({ host: `${app}.localhost:${this.port}`, path, headers });
  }

  /** A push's second question alone, as a client asks it that has the refs already. `credentials`: NAME:TOKEN. */
  receivePack(
    app: string,
    body: string | Buffer,
    credentials = `admin:${this.token}`,
  ): Promise<Answer> {
    return this.ask({
      host: `git.localhost:${this.port}`,
      path: `/${app}.git/git-receive-pack`,
      method: "POST",
      headers: {
        authorization: `Basic ${Buffer.from(credentials).toString("base64")}`,
        "content-type": "application/x-git-receive-pack-request",
      },
      body,
    });
  }

  async ask(request: {
    host: string;
    path: string;
    /** nginx's own, unless another one is named. */
    port?: number;
    /** Where to: 127.0.0.1, unless another one is named. */
    address?: string;
    /** Where from. */
    from?: string;
    method?: string;
    headers?: Record<string, string>;
    body?: string | Buffer;
  }): Promise<Answer> {
    const { host, path, port = this.port, method = "GET", headers = {}, body } = request;
    const { address = "127.0.0.1", from } = request;
    return new Promise((resolve, reject) => {
      const client = httpRequest(
        {
          host: address,
          ...(from === undefined ? {} : { localAddress: from }),
          port,
          path,
          method,
          agent: false,
          headers: { host, ...headers },
        },
        (response) => {
          const chunks: Buffer[] = [];
          response.on("data", (chunk: Buffer) => chunks.push(chunk));
          response.on("error", reject);
          response.on("end", () => {
            resolve({
              status: response.statusCode ?? 0,
              body: Buffer.concat(chunks).toString(),
              headers: response.headers,
            });
          });
        },
      );
      client.on("error", reject);
      client.end(body);
    });
  }

  /** Waits until the app's permanent vassal has taken over from the understudy. */
  async settled(app: string): Promise<void> {
    let seen: string[] = [];
    const look = async (): Promise<boolean> => {
      const folders = ["etc/vassals", "run/sockets", "log/apps"];
      seen = folders.flatMap((folder) =>
        readdirSync(this.path(folder)).filter((name) => name.startsWith(`${app}.next-`)),
      );
      if (seen.length > 0) return false;
      // An agent that fell is back in a moment.
      const apps = await this.command("apps", {}).catch(() => []);
      const state = apps.find((found) => found.app === app)?.state ?? "no app";
      seen = [state];
      return state === "live";
    };
    await eventually(look, 60_000).catch((error: unknown) => {
      throw new Error(`${app} did not settle: ${seen.join(", ")}`, { cause: error });
    });
  }

  /** Waits for what is still being tidied after deploys that have settled: a reconcile comes after it. */
  async tidied(): Promise<void> {
    await this.command("reconcile", {});
  }

  /** Waits until a preview's traffic is led to the vassal that sleeps, and nothing else of it is left. */
  async asleepAfterPush(preview: string): Promise<void> {
    await eventually(() => {
      const names = ["etc/vassals", "run/sockets", "log/apps"].flatMap((folder) =>
        readdirSync(this.path(folder)).filter((name) => name.startsWith(preview)),
      );
      const inis = names.filter((name) => name.endsWith(".ini"));
      return !names.some((name) => name.includes(".next-")) && inis.length === 1;
    }, 60_000);
  }

  /** The processes of an instance's vassals, masters and workers. */
  processesOf(instance: string): number[] {
    return readdirSync("/proc")
      .filter((name) => /^\d+$/.test(name))
      .filter((pid) => {
        try {
          return readlinkSync(`/proc/${pid}/cwd`).startsWith(
            this.path("srv", instance, "releases"),
          );
        } catch {
          return false;
        }
      })
      .map(Number);
  }

  /** Whether a process of this server's has such words. */
  runs(words: RegExp): boolean {
    return processesUnder(this.home).some(({ title }) => words.test(title));
  }

  /** The process of one of reeve's services, by what its command line holds. */
  servicePid(word: "agent" | "front"): number {
    // Only of the supervisor's children: what a service starts has its words for a moment as well.
    const words = ["-P", String(this.pid), "-f", `dist/main.js ${word} --home ${this.home}$`];
    const found = execFileSync("pgrep", words);
    const pids = found.toString().trim().split("\n").map(Number);
    if (pids.length !== 1) throw new Error(`${pids.length} processes are ${word}`);
    return pids[0] ?? 0;
  }
}

/** The system users that a server made for its apps: by their comments, because other servers have some as well. */
function removeUsers(home: string): void {
  if (process.getuid?.() !== 0) return;
  for (const { name, uid } of systemUsersOf(home)) {
    // Of an app that went its own way there may be something left; pkill(1) ends with 1 where there is nothing.
    spawnSync("pkill", ["-KILL", "--uid", String(uid)]);
    execFileSync("userdel", ["--force", name], { stdio: "ignore" });
  }
}

/** Those that the server in this folder made. */
export function systemUsersOf(home: string): { name: string; uid: number; comment: string }[] {
  return readFileSync("/etc/passwd", "utf8")
    .split("\n")
    .map((line) => line.split(":"))
    .filter(([, , , , comment]) => comment?.endsWith(`(reeve in ${home})`))
    .map(([name = "", , uid, , comment = ""]) => ({ name, uid: Number(uid), comment }));
}

/** uv, installed once for all servers of a run. */
function sharedTools(): string {
  const tools = process.env["REEVE_TEST_TOOLS"] ?? join(tmpdir(), "reeve-test-tools");
  if (!existsSync(join(tools, "uv/bin/uv"))) {
    mkdirSync(tools, { recursive: true });
    execFileSync("sh", ["-c", `. scripts/setup.sh && install_uv "${tools}"`], {
      cwd: projectRoot,
      stdio: "ignore",
    });
  }
  return tools;
}

export async function eventually(
  look: () => boolean | Promise<boolean>,
  within = 10_000,
): Promise<void> {
  const end = Date.now() + within;
  while (!(await look())) {
    if (Date.now() > end) throw new Error(`it did not come true within ${within} ms`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}
