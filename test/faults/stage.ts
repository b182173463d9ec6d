import { existsSync, readdirSync, readFileSync, readlinkSync } from "node:fs";
import { join } from "node:path";
import type { DeploySummary } from "../../src/protocol/readings.ts";
import { plainApp } from "../support/apps.ts";
import { eventually, TestServer, type Outcome } from "../support/server.ts";
import { Visitors } from "../support/visitors.ts";
import { fromWheels, wheelFolder } from "../support/wheels.ts";
import type { Workspace } from "../support/workspace.ts";
import { differences } from "../support/differences.ts";
import { processesUnder } from "../support/processes.ts";

/** `ROUNDS=all npm run test:faults` tries everything; otherwise a part that fits into `npm test`. */
export const isLong = process.env["ROUNDS"] !== undefined;

/** Everything that a deploy leaves only while it runs. */
interface Standing {
  files: string[];
  processes: string[];
}

/**
 * A server with two apps that are visited all the time: `demo`, which is pushed to while things break, and
 * `other`, which must never notice.
 */
export class Stage {
  readonly server: TestServer;
  readonly demo: Workspace;
  readonly #visitors: Visitors;
  readonly #neighbours: Visitors;
  readonly #wheels = wheelFolder();
  #standing: Standing = { files: [], processes: [] };
  #turn = 0;
  /** How often something fell since the server was started: each fall makes the next pause longer. */
  #falls = 0;

  private constructor(server: TestServer, demo: Workspace) {
    this.server = server;
    this.demo = demo;
    this.#visitors = new Visitors(server, "demo");
    this.#neighbours = new Visitors(server, "other");
  }

  static async open(environment: Record<string, string> = {}): Promise<Stage> {
    const server = new TestServer([], { visited: true, environment });
    try {
      await server.begin();
      return await Stage.#prepare(server);
    } catch (error) {
      await server.remove();
      throw error;
    }
  }

  static async #prepare(server: TestServer): Promise<Stage> {
    const other = await server.workspace("other", plainApp("other"));
    await other.git("push", "--quiet", "deploy", "main");
    const demo = await server.workspace("demo", plainApp("turn 0"));
    await demo.git("push", "--quiet", "deploy", "main");
    await server.settled("other");
    await server.settled("demo");
    await server.tidied();
    const stage = new Stage(server, demo);
    stage.#standing = stage.#look();
    return stage;
  }

  async close(): Promise<void> {
    await this.server.remove();
  }

  /** The next commit: an app that takes its time to boot, with an environment of its own. */
  async nextCommit(): Promise<{ commit: string; text: string; deploy: number }> {
    const text = `turn ${++this.#turn}`;
    this.demo.write({
      ...plainApp(text, { importFor: 0.2 }),
      "requirements.txt": fromWheels(this.#wheels, "greeting==1.0", `# ${text}`),
    });
    return { text, commit: await this.demo.commit(text), deploy: (await this.lastDeploy()) + 1 };
  }

  async lastDeploy(): Promise<number> {
    return (await this.deploys())[0]?.number ?? 0;
  }

  deploys(): Promise<DeploySummary[]> {
    return this.server.command("deploys", { app: "demo", limit: 20 });
  }

  async onTheAir(): Promise<string> {
    const { status, body } = await this.server.get("demo");
    return status === 200 ? body : String(status);
  }

  /** Visitors of both apps come; `text` of `leave` is what `demo` may answer by then, besides what it did. */
  async come(): Promise<void> {
    this.#visitors.come(40, await this.onTheAir());
    this.#neighbours.come(40, "other");
  }

  async leave(): Promise<{ demo: string[]; other: string[] }> {
    return {
      demo: (await this.#visitors.leave()).failed,
      other: (await this.#neighbours.leave()).failed,
    };
  }

  /** Somebody of the supervisor's children fell. */
  fell(): void {
    this.#falls += 1;
  }

  /** Before the pauses between two starts grow long, all of it is started anew. */
  async refresh(): Promise<void> {
    if (this.#falls < 3) return;
    this.#falls = 0;
    await this.server.interrupt();
    await this.server.up();
    await this.back();
  }

  /** Resolves when everybody whom the supervisor keeps answers again. */
  async back(): Promise<void> {
    await eventually(async () => {
      if (!(await this.server.isUp())) return false;
      // nginx itself may be what is not there yet.
      const asking = ["demo", "other"].map((app) => this.server.get(app).catch(() => undefined));
      return (await Promise.all(asking)).every((answer) => answer?.status === 200);
    }, 60_000);
  }

  /** No deploy is under way, nor settling. */
  async isSettled(): Promise<boolean> {
    const apps = await this.server.command("apps", {}).catch(() => []);
    const isLive = apps.some(({ app, state }) => app === "demo" && state === "live");
    return isLive && !readdirSync(this.server.path("etc/vassals")).join().includes(".next-");
  }

  /** Nothing is left over, and what is on the air is what the ref says and the record says. What is not so, in words. */
  async whole(within = 30_000): Promise<string[]> {
    let wrong: string[] = ["nobody looked"];
    await eventually(async () => {
      wrong = await this.#compare();
      return wrong.length === 0;
    }, within).catch(() => undefined);
    return wrong;
  }

  async #compare(): Promise<string[]> {
    const wrong: string[] = [];
    const apps = await this.server.command("apps", {}).catch(() => []);
    const record = apps.find(({ app }) => app === "demo");
    const ref = this.server.read("lib/repositories/demo.git/refs/heads/main").trim();
    const served = await this.onTheAir().catch(String);
    const due = (await this.demo.git("log", "-1", "--format=%s", ref)).output.trim();
    const expected = due === "The first commit" ? "turn 0" : due;
    if (record?.state !== "live") wrong.push(`demo is ${record?.state ?? "unknown"}`);
    if (record?.commit !== ref) wrong.push(`record ${record?.commit ?? "none"}, ref ${ref}`);
    if (served !== expected) wrong.push(`served ${served}, ref ${expected}`);

    const now = this.#look();
    wrong.push(...differences("file", this.#standing.files, now.files));
    const ofProcesses = differences("process", this.#standing.processes, now.processes);
    if (ofProcesses.length > 0) wrong.push(...ofProcesses, this.#described("demo"));
    const releases = await this.server.command("releases", { app: "demo" }).catch(() => []);
    const known = new Set(releases.map(({ commit }) => commit));
    for (const commit of readdirSync(this.server.path("srv/demo/releases")))
      if (!known.has(commit)) wrong.push(`release ${commit} is nobody's`);
    const unfinished = (await this.deploys().catch(() => [])).filter(
      ({ state }) => state !== "live" && state !== "refused",
    );
    wrong.push(...unfinished.map(({ number, state }) => `deploy ${number} is ${state}`));
    return wrong;
  }

  /** For whoever reads why a table is not whole. */
  #described(app: string): string {
    return processesUnder(this.server.home)
      .filter(({ title }) => title.includes(app))
      .map(({ pid, parent, title }) => `${pid} (of ${parent}) ${title}`)
      .join(", ");
  }

  #look(): Standing {
    const { server } = this;
    const repository = "lib/repositories/demo.git";
    const files = [
      ...["etc/vassals", "etc/nginx/sites-available", "etc/nginx/sites-enabled", "etc/apps"],
      ...["etc/apps/demo", "run/sockets", "lib/links", "log/apps", "srv/demo", repository],
      ...[`${repository}/refs/heads`],
    ].flatMap((folder) => readdirSync(server.path(folder)).map((name) => join(folder, name)));
    const ofGit = readdirSync(server.path(repository, "objects")).filter((name) =>
      /^(tmp_|incoming-)/.test(name),
    );
    const ofEnvironments = readdirSync(server.path("srv/demo/envs")).filter(
      (name) => !/^[0-9a-f]{16}$|^\.cache$/.test(name),
    );
    const ofStaging = readdirSync(server.path("srv/demo/.staging")).filter(
      (name) => !["tree", "git", "basis"].includes(name),
    );
    return {
      files: [...files, ...ofGit, ...ofEnvironments, ...ofStaging].filter(
        // A log of every first environment; the file is there from the first push with requirements on.
        (name) => !/packed-refs$|ORIG_HEAD$|FETCH_HEAD$/.test(name),
      ),
      processes: processesUnder(server.home).map(({ title }) => title),
    };
  }

  /** What stands in `vassals` and in the sites' folders is complete: nobody reads half of it. */
  halfFiles(): string[] {
    const folders = ["etc/vassals", "etc/nginx/sites-available"];
    return folders.flatMap((folder) =>
      readdirSync(this.server.path(folder))
        .filter((name) => /\.(ini|conf)$/.test(name))
        .map((name) => join(folder, name))
        .filter((path) => !isComplete(readFileSync(this.server.path(path), "utf8"))),
    );
  }

  /** A plain push goes through, and is what is served. */
  async pushAgain(): Promise<Outcome & { served: string; text: string }> {
    const { text } = await this.nextCommit();
    const push = await this.demo.push("+HEAD:main");
    return { ...push, text, served: await this.onTheAir() };
  }

  link(): string {
    return readlinkSync(this.server.path("lib/links/demo/socket"));
  }

  has(...parts: string[]): boolean {
    return existsSync(this.server.path(...parts));
  }
}

function isComplete(text: string): boolean {
  return /^(endif =|}|.*local.*)\n$/m.test(text) && text.endsWith("\n");
}
