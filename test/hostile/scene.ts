import { chmodSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect } from "vitest";
import { plainApp } from "../support/apps.ts";
import { basic, makePerson, type Person } from "../support/people.ts";
import { TestServer, type Outcome } from "../support/server.ts";
import { SshClient } from "../support/ssh.ts";
import { Visitors } from "../support/visitors.ts";
import type { Workspace } from "../support/workspace.ts";
import { isLong, Oracle } from "./oracle.ts";
import { packetLine } from "./raw.ts";

export type Transport = "http" | "ssh";

/** Megabytes that the front may have in memory, whatever comes. */
const mostMemory = 150;

/**
 * One server for a whole group of cases: `demo`, which ada may deploy and owns; `other`, which is nobody's here
 * and is visited all the time; and the oracle that looks after each case.
 */
export class Scene {
  readonly server: TestServer;
  readonly demo: Workspace;
  readonly ada: Person;
  /** May create apps: what is refused to her is refused by its name. */
  readonly admin: Person;
  readonly oracle: Oracle;
  readonly around: string;
  readonly #neighbours: Visitors;
  #turn = 0;

  private constructor(parts: {
    server: TestServer;
    demo: Workspace;
    ada: Person;
    admin: Person;
    oracle: Oracle;
    around: string;
  }) {
    this.server = parts.server;
    this.demo = parts.demo;
    this.ada = parts.ada;
    this.admin = parts.admin;
    this.oracle = parts.oracle;
    this.around = parts.around;
    this.#neighbours = new Visitors(parts.server, "other");
  }

  static async open(options: string[] = []): Promise<Scene> {
    const around = mkdtempSync(join(tmpdir(), "reeve-"));
    chmodSync(around, 0o777);
    const home = join(around, "home");
    mkdirSync(home, { mode: 0o755 });
    const server = new TestServer(options, { visited: true, ssh: true, home });
    try {
      await server.begin();
      return await Scene.#prepare(server, around);
    } catch (error) {
      await server.remove();
      rmSync(around, { recursive: true, force: true });
      throw error;
    }
  }

  static async #prepare(server: TestServer, around: string): Promise<Scene> {
    const other = await server.workspace("other", plainApp("other"));
    const demo = await server.workspace("demo", plainApp("good"));
    for (const app of [other, demo]) await app.git("push", "--quiet", "deploy", "main");
    const ada = await makePerson(server, "ada", { demo: "admin" });
    const admin = { name: "admin", token: server.token, ssh: new SshClient(server) };
    await server.reeve("keys", "add", "admin", admin.ssh.publicKey);
    await server.settled("other");
    await server.settled("demo");
    const oracle = new Oracle(server, around);
    const scene = new Scene({ server, demo, ada, admin, oracle, around });
    // A second deploy makes what only a second one makes, and a preview what only previews have.
    await scene.pushAgain();
    await demo.push("HEAD:refs/heads/first");
    await scene.clean();
    await server.settled("demo");
    await server.tidied();
    oracle.remember();
    scene.#neighbours.come(10, "other");
    return scene;
  }

  async close(): Promise<void> {
    const { failed } = await this.#neighbours.leave();
    await this.server.remove();
    rmSync(this.around, { recursive: true, force: true });
    expect(failed, "the other app answered throughout").toEqual([]);
  }

  get front(): number {
    return this.server.servicePid("front");
  }

  get authorization(): Record<string, string> {
    return { authorization: basic(this.ada) };
  }

  remote(via: Transport, app = "demo"): string {
    return via === "ssh"
      ? this.ada.ssh.remote(app)
      : this.server.remote(app, `${this.ada.name}:${this.ada.token}`);
  }

  /** git in a workspace as ada, with `REMOTE` standing for the address by this way. */
  git(via: Transport, words: string[], workspace = this.demo): ReturnType<Workspace["start"]> {
    const ssh = `core.sshCommand=${this.ada.ssh.gitSshCommand}`;
    const known = words.map((word) => (word === "REMOTE" ? this.remote(via) : word));
    return workspace.start("-c", ssh, ...known);
  }

  /** A push as ada's to `demo`, by this way. */
  async push(via: Transport, refspecs: string[], workspace = this.demo): Promise<Outcome> {
    const result = await this.git(via, ["push", "REMOTE", ...refspecs], workspace);
    return { exitCode: result.exitCode ?? -1, output: result.all };
  }

  /** A push of any object to any ref, in the words of the protocol: git's own client would not send it. */
  async pushRaw(via: Transport, ref: string, id: string): Promise<Outcome> {
    const { demo } = this;
    const old = (await demo.remoteCommit(ref)) || "0".repeat(40);
    const pack = await demo.pack([id]);
    const commands = `${packetLine(`${old} ${id} ${ref}\0report-status side-band-64k`)}0000`;
    const body = Buffer.concat([Buffer.from(commands), pack]);
    if (via === "http") {
      const { status, body: text } = await this.server.ask({
        host: `git.localhost:${this.server.port}`,
        path: "/demo.git/git-receive-pack",
        method: "POST",
        headers: {
          ...this.authorization,
          "content-type": "application/x-git-receive-pack-request",
        },
        body,
      });
      return { exitCode: status === 200 && /\bok refs/.test(text) ? 0 : 1, output: text };
    }
    const { all, exitCode } = await this.ada.ssh.start(
      "git-receive-pack 'demo'",
      [],
      undefined,
      body,
    );
    return { exitCode: exitCode === 0 && /\bok refs/.test(all) ? 0 : 1, output: all };
  }

  /** A plain push goes through, and is what is served. */
  async pushAgain(): Promise<void> {
    const text = `good ${++this.#turn}`;
    const commit = await this.demo.commitBeside(plainApp(text), text);
    const push = await this.demo.push(`+${commit}:refs/heads/main`);
    expect(push.exitCode, push.output).toBe(0);
    expect((await this.server.get("demo")).body).toBe(text);
  }

  /** The branch on disk, whatever git would answer. */
  get main(): string {
    return this.server.read("lib/repositories/demo.git/refs/heads/main").trim();
  }

  /** What a case has put into the repository beside main is taken away again. */
  async clean(): Promise<void> {
    const { output } = await this.demo.git("ls-remote", "deploy");
    const more = output
      .split("\n")
      .map((line) => line.split("\t")[1] ?? "")
      .filter((ref) => /^refs\/(heads|tags)\//.test(ref) && ref !== "refs/heads/main")
      .filter((ref) => !ref.endsWith("^{}"));
    if (more.length === 0) return;
    const { exitCode, output: said } = await this.demo.push(...more.map((ref) => `:${ref}`));
    expect(exitCode, said).toBe(0);
  }

  /** What the oracle looks at, and that the front has not grown. */
  async expectUnharmed(isThorough?: boolean): Promise<void> {
    await this.clean();
    await this.oracle.expectUnharmed(isThorough);
    expect(this.memory, "the front's memory, in megabytes").toBeLessThan(mostMemory);
  }

  /** What the front has in memory, in megabytes. */
  get memory(): number {
    const status = readFileSync(`/proc/${this.front}/status`, "utf8");
    return Number(/VmRSS:\s+(\d+)/.exec(status)?.[1]) / 1024;
  }

  get openFiles(): number {
    return readdirSync(`/proc/${this.front}/fd`).length;
  }

  /** Whether git serves somebody. */
  get hasGit(): boolean {
    return this.server.runs(/git.(receive|upload)-pack/);
  }

  /** Whether a release boots beside the one that is on the air. */
  get isBuilding(): boolean {
    return readdirSync(this.server.path("etc/vassals")).some((name) => name.includes(".next-"));
  }
}

/** The scene, once it is open. */
export type SceneNow = () => Scene;

/** The ways that a case is tried by: both in the long form, one after the other in the short one. */
function ways(index: number): Transport[] {
  if (isLong) return ["http", "ssh"];
  return index % 2 === 0 ? ["http"] : ["ssh"];
}

/** All of them in the long form, so many in the short one. */
export function some<T>(rows: T[], short: number): T[] {
  return isLong ? rows : rows.slice(0, short);
}

/** A row for each way that it is tried by. */
export function byWays<Row extends [unknown, ...unknown[]] | []>(
  rows: Row[],
  short = rows.length,
): [...Row, Transport][] {
  return some(rows, short).flatMap((row, index) =>
    ways(index).map((via): [...Row, Transport] => [...row, via]),
  );
}
