import { execFileSync, spawn, type ChildProcess } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, utimesSync, writeFileSync } from "node:fs";
import { request as httpRequest } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, it } from "vitest";
import { plainApp } from "../test/support/apps.ts";
import { eventually, TestServer } from "../test/support/server.ts";
import type { Workspace } from "../test/support/workspace.ts";
import { succeeds } from "./outcome.ts";
import { median, printTable, type Cell } from "./table.ts";

const rounds = Number(process.env["ROUNDS"] ?? 50);
const perSecond = 200;

const rows: Cell[][] = [];

/**
 * What visitors notice while an app is deployed again and again, beside the way of the article that reeve
 * comes from: the files replaced, and the ini touched.
 */
describe("deploys under load", () => {
  let server: TestServer;
  let workspace: Workspace;
  let turn = 0;

  beforeAll(async () => {
    server = await TestServer.start([], { visited: true });
    workspace = await server.workspace("demo", slowApp("first"));
    await workspace.git("push", "--quiet", "deploy", "main");
    await succeeds(workspace.deploy(slowApp("second"), "Second"));
    await server.settled("demo");
  });
  afterAll(async () => {
    await server.remove();
    printTable(
      [
        `${perSecond} requests a second, an app that imports for 2 s`,
        "deploys",
        "requests",
        "failed",
        "longest, ms",
        "99.9 %",
        "steady",
      ],
      rows,
    );
  });

  const socketless = (): Question => ({ port: server.port, host: `demo.localhost:${server.port}` });
  const deploy = async (files?: Record<string, string>): Promise<void> => {
    await succeeds(workspace.deploy(files ?? slowApp(`turn ${++turn}`)));
  };
  const command = async (...words: string[]): Promise<void> => {
    await succeeds(server.reeve(...words));
  };

  it("deploys in a row", async () => {
    await measure("reeve, deploys in a row", socketless(), rounds, () => deploy());
    await server.settled("demo");
  });

  it("with a request of 5 s always in flight", async () => {
    const slow = new SlowVisitor(socketless());
    await measure("reeve, a request of 5 s always running", socketless(), rounds, () => deploy());
    rows.push(["  the requests of 5 s", "", ...(await slow.leave()), "", "", ""]);
    await server.settled("demo");
  });

  it("rollbacks", async () => {
    await measure("reeve, rollbacks", socketless(), part(5), async (round) => {
      if (round % 2 === 0) await command("rollback", "demo");
      else await command("redeploy", "demo");
    });
    await server.settled("demo");
  });

  it("variables", async () => {
    await measure("reeve, changes of a variable", socketless(), part(5), (round) =>
      // By the name that programs know which are older, too: these may be measured beside this one.
      command("settings", "demo", "set", `ROUND=${round}`),
    );
    await server.settled("demo");
  });

  it("deploys that fail", async () => {
    const good = workspace.read("app.py");
    const bad = [
      "import nosuchmodule\n",
      good.replace("200 OK", "500 Oh"),
      "import time\ntime.sleep(3600)\n",
      "import os, time\ntime.sleep(2)\nos._exit(4)\n",
    ];
    await command("options", "demo", "set", "health_deadline=6");
    await measure("reeve, deploys that fail", socketless(), part(2.5), async (round) => {
      const { exitCode, output } = await workspace.deploy({
        "app.py": `# ${round}\n${bad[round % bad.length] ?? ""}`,
      });
      if (exitCode === 0) throw new Error(output);
    });
    await server.settled("demo");
  });

  it("the article's way", async () => {
    const article = await Article.start();
    await measure("the article: replace and touch", article.request, part(5), (round) =>
      article.deploy(`round ${round}`),
    );
    await article.stop();
  });
});

function part(divisor: number): number {
  return Math.max(2, Math.round(rounds / divisor));
}

/** Two seconds to import, and five to answer at /slow. */
function slowApp(text: string): Record<string, string> {
  return {
    "app.py": `import time
time.sleep(2)

def app(environ, start_response):
    if environ["PATH_INFO"] == "/slow":
        time.sleep(5)
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [b"${text}"]
`,
    Procfile: "wsgi: app:app\n",
  };
}

interface Question {
  port?: number;
  socketPath?: string;
  host: string;
  path?: string;
}

function ask({ host, path = "/", ...where }: Question): Promise<boolean> {
  return new Promise((resolve) => {
    const client = httpRequest({ ...where, path, headers: { host }, agent: false }, (response) => {
      response.resume();
      response.on("end", () => resolve(response.statusCode === 200));
      response.on("error", () => resolve(false));
    });
    if (where.port) client.setNoDelay();
    client.on("error", () => resolve(false));
    client.end();
  });
}

/** Requests at a steady pace, whatever became of those before. */
class Load {
  readonly took: number[] = [];
  failed = 0;
  readonly #asking = new Set<Promise<void>>();
  readonly #timer: NodeJS.Timeout;

  constructor(request: Question) {
    let due = performance.now();
    this.#timer = setInterval(() => {
      for (; due <= performance.now(); due += 1000 / perSecond) {
        const asked = this.#one(request);
        this.#asking.add(asked);
        void asked.then(() => this.#asking.delete(asked));
      }
    }, 5);
  }

  async end(): Promise<void> {
    clearInterval(this.#timer);
    await Promise.all([...this.#asking]);
  }

  async #one(request: Question): Promise<void> {
    const began = performance.now();
    if (!(await ask(request))) this.failed += 1;
    this.took.push(performance.now() - began);
  }
}

class SlowVisitor {
  #isThere = true;
  #answered = 0;
  #failed = 0;
  readonly #done: Promise<void>;

  constructor(request: Question) {
    const visit = async (): Promise<void> => {
      while (this.#isThere) {
        if (await ask({ ...request, path: "/slow" })) this.#answered += 1;
        else this.#failed += 1;
      }
    };
    this.#done = visit();
  }

  /** Resolves to how many there were, and how many of them failed. */
  async leave(): Promise<[number, number]> {
    this.#isThere = false;
    await this.#done;
    return [this.#answered + this.#failed, this.#failed];
  }
}

async function measure(
  title: string,
  request: Question,
  count: number,
  deploy: (round: number) => Promise<void>,
): Promise<void> {
  const steady = new Load(request);
  await new Promise((resolve) => setTimeout(resolve, 5000));
  await steady.end();
  const load = new Load(request);
  for (let round = 0; round < count; round += 1) await deploy(round);
  await new Promise((resolve) => setTimeout(resolve, 4000));
  await load.end();
  const sorted = [...load.took].sort((one, other) => one - other);
  rows.push([
    title,
    count,
    sorted.length,
    load.failed,
    sorted.at(-1) ?? 0,
    sorted[Math.floor(sorted.length * 0.999)] ?? 0,
    Math.max(...steady.took),
  ]);
}

/** As the article has it: one ini in an Emperor's folder, and one folder with the code. */
class Article {
  readonly request: Question;
  readonly #folder: string;
  readonly #emperor: ChildProcess;

  private constructor(folder: string, emperor: ChildProcess) {
    this.#folder = folder;
    this.#emperor = emperor;
    this.request = { socketPath: join(folder, "demo.sock"), host: "demo" };
  }

  static async start(): Promise<Article> {
    const folder = mkdtempSync(join(tmpdir(), "reeve-article-"));
    mkdirSync(join(folder, "vassals"));
    mkdirSync(join(folder, "app"));
    writeFileSync(join(folder, "app/app.py"), slowApp("first")["app.py"] ?? "");
    const lines = [
      "[uwsgi]",
      "plugins = python3",
      `http-socket = ${join(folder, "demo.sock")}`,
      "master = true",
      "workers = 2",
      `chdir = ${join(folder, "app")}`,
      "module = app:app",
      "listen = 1024",
      "",
    ];
    writeFileSync(join(folder, "vassals/demo.ini"), lines.join("\n"));
    const emperor = spawn("uwsgi-core", ["--emperor", join(folder, "vassals"), "--die-on-term"], {
      stdio: "ignore",
      detached: true,
    });
    const article = new Article(folder, emperor);
    await eventually(() => ask(article.request), 20_000);
    return article;
  }

  async deploy(text: string): Promise<void> {
    writeFileSync(join(this.#folder, "app/app.py"), slowApp(text)["app.py"] ?? "");
    const now = Date.now() / 1000;
    utimesSync(join(this.#folder, "vassals/demo.ini"), now, now);
    await new Promise((resolve) => setTimeout(resolve, 7000));
  }

  async stop(): Promise<void> {
    const gone = new Promise<void>((resolve) => this.#emperor.once("exit", () => resolve()));
    // It and its vassals, which lead no groups of their own.
    if (this.#emperor.pid) process.kill(-this.#emperor.pid, "SIGKILL");
    await gone;
    rmSync(this.#folder, { recursive: true, force: true });
  }
}

const crowd = Number(process.env["APPS"] ?? 200);

/** A box with many apps on it: all of them were put there by a push. */
describe(`${crowd} apps`, () => {
  let server: TestServer;
  let workspace: Workspace;
  const results: Cell[][] = [];

  beforeAll(async () => {
    server = await TestServer.start([], { visited: true });
    workspace = await server.workspace("app-0", plainApp("start"));
    await workspace.git("push", "--quiet", "deploy", "main");
    await server.settled("app-0");
  }, 3_600_000);
  afterAll(async () => {
    await server.remove();
    printTable([`with ${crowd} apps on the box`, "ms"], results);
  }, 600_000);

  it("a push to live, and the Emperor's death", async () => {
    const alone = await pushes(server, workspace);
    for (let index = 1; index < crowd; index += 1) {
      await workspace.git("push", "--quiet", server.remote(`app-${index}`), "HEAD:refs/heads/main");
    }
    await server.settled(`app-${crowd - 1}`);
    const among = await pushes(server, workspace);
    results.push(["push to live, alone", alone], ["push to live, among them", among]);
    results.push(["ratio", among / alone]);

    const began = performance.now();
    execFileSync("kill", ["-9", server.read("run/emperor.pid").trim()]);
    const names = Array.from({ length: crowd }, (_, index) => `app-${index}`);
    const isUp = async (name: string): Promise<boolean> =>
      server.get(name).then(
        ({ status }) => status === 200,
        () => false,
      );
    let missing = names;
    while (missing.length > 0) {
      const up = await Promise.all(missing.map(isUp));
      missing = missing.filter((_, index) => !up[index]);
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
    results.push(["Emperor killed, until all answer", performance.now() - began]);
  });
});

async function pushes(server: TestServer, workspace: Workspace): Promise<number> {
  const took: number[] = [];
  for (let round = 0; round < 10; round += 1) {
    await server.settled("app-0");
    workspace.write(plainApp(`${Math.random()}`));
    await workspace.commit("A round");
    const began = performance.now();
    await workspace.git("push", "--quiet", "deploy", "main");
    took.push(performance.now() - began);
  }
  return median(took);
}
