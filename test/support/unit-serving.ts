import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { existsSync, readdirSync, readFileSync, statSync, watch, writeFileSync } from "node:fs";
import { createServer as createHttpServer, type Server } from "node:http";
import { createServer } from "node:net";
import { basename, join } from "node:path";
import { onTestFinished } from "vitest";
import { optionsFile } from "../../src/names/instance.ts";
import { parseVassalName, permanentVassal, vassalOf } from "../../src/names/vassal.ts";
import type { Layout } from "../../src/config/layout.ts";
import { readOptions } from "../../src/config/option-table.ts";
import { serverOptions } from "../../src/config/server-options.ts";
import { provideFolders } from "../../src/agent/instance/folders.ts";
import type { RequirementsFile } from "../../src/agent/environment/requirements.ts";
import { confirmRef } from "../../src/agent/deploy/judge.ts";
import { prepareDeploy, startDeploy, switchDeploy } from "../../src/agent/deploy/deploy.ts";
import type { Deploy } from "../../src/agent/store/deploys.ts";
import { Builders } from "../../src/agent/users/builders.ts";
import type { VariablesChange } from "../../src/agent/variables/variables.ts";
import type { Holder } from "../../src/names/deploy.ts";
import type { AgentRequest } from "../../src/protocol/agent-verbs.ts";
import { absentCommit, branchOf } from "../../src/names/names.ts";
import { ownIdentity } from "../../src/system/identity.ts";
import { CommandFailed, type Command, type RunOptions } from "../../src/system/system.ts";
import { agentWorld, type AgentWorld } from "./unit-agent.ts";
import type { Files } from "./unit-repository.ts";
import { UnprivilegedSystem } from "./unit-identity.ts";

/** What an app answers to the ini that it was started from: a status, or that it dies at its start. */
type App = (ini: string) => number | "dies";

interface Started {
  modified: number;
  master: ChildProcess | undefined;
  app: Server | undefined;
  status: { id: string; pid: number; last_mod: number; accepting: number; cursed: number };
}

/** A master and a worker of the same program, which hears SIGHUP as a worker that stands does. */
const vassalProgram = "$SIG{HUP} = sub { exit }; $SIG{USR1} = 'IGNORE'; fork; sleep 1 while 1";

/**
 * Stands for the Emperor, and for the apps: each ini in the folder is a real master with a real worker, and answers on
 * its socket. What it cannot say is whether uWSGI would take the ini: that is for the integration tests.
 */
export class UnitEmperor {
  app: App = () => 200;
  readonly #layout: Layout;
  readonly #started = new Map<string, Started>();

  private constructor(layout: Layout) {
    this.#layout = layout;
  }

  static async start(layout: Layout): Promise<UnitEmperor> {
    const emperor = new UnitEmperor(layout);
    const { pid } = kept(spawn("sleep", ["1000"], { argv0: "uwsgi", stdio: "ignore" }));
    writeFileSync(layout.emperorPid, String(pid));
    const stats = createServer((socket) => {
      emperor.#look();
      socket.end(JSON.stringify({ vassals: emperor.vassals }));
    });
    stats.listen(layout.emperorStats);
    await once(stats, "listening");
    const watching = watch(layout.vassals, () => emperor.#look());
    onTestFinished(() => {
      watching.close();
      stats.close();
      for (const name of emperor.#started.keys()) emperor.#stop(name);
    });
    return emperor;
  }

  get vassals(): Started["status"][] {
    return [...this.#started.values()].map(({ status }) => ({
      ...{ ready: status.accepting, respawns: 0 },
      ...status,
    }));
  }

  /** The names of the inis that it runs. */
  get running(): string[] {
    this.#look();
    return [...this.#started.keys()].sort();
  }

  #look(): void {
    if (!existsSync(this.#layout.vassals)) return;
    const inis = readdirSync(this.#layout.vassals).filter((name) => name.endsWith(".ini"));
    for (const name of this.#started.keys()) if (!inis.includes(name)) this.#stop(name);
    for (const name of inis) {
      const path = join(this.#layout.vassals, name);
      const look = statSync(path, { throwIfNoEntry: false });
      if (!look || this.#started.get(name)?.modified === look.mtimeMs) continue;
      this.#stop(name);
      this.#start(name, readFileSync(path, "utf8"), look.mtimeMs);
    }
  }

  #start(name: string, ini: string, modified: number): void {
    const parsed = parseVassalName(name);
    const { socket } = parsed
      ? vassalOf(this.#layout, { instance: parsed.stem, ...parsed })
      : permanentVassal(this.#layout, basename(name, ".ini"));
    const last_mod = Math.floor(modified / 1000);
    const status = { id: name, pid: -1, last_mod, accepting: 0, cursed: 0 };
    const started: Started = { modified, master: undefined, app: undefined, status };
    this.#started.set(name, started);
    const answer = this.app(ini);
    if (answer === "dies") {
      status.cursed = 1;
      return;
    }
    const wake = (): void => {
      if (started.master) return;
      started.master = spawn("perl", ["-e", vassalProgram], { detached: true, stdio: "ignore" });
      status.pid = started.master.pid ?? -1;
      status.accepting = 1;
    };
    if (parsed?.role !== "on demand") wake();
    started.app = createHttpServer((_, response) => {
      wake();
      response.writeHead(answer).end("answered");
    });
    // Its socket is still there where it was killed.
    started.app.on("error", () => undefined);
    started.app.listen(socket);
  }

  #stop(name: string): void {
    const started = this.#started.get(name);
    if (!started) return;
    this.#started.delete(name);
    started.app?.closeAllConnections();
    started.app?.close();
    const pid = started.master?.pid;
    try {
      // The master leads a group, in which its worker is.
      if (pid !== undefined) process.kill(-pid, "SIGKILL");
    } catch {
      // Both have ended.
    }
  }
}

const nginxProgram = `
  sub worker { my $pid = fork; return $pid if $pid; $SIG{HUP} = "DEFAULT"; $0 = "nginx: worker process"; sleep 1 while 1 }
  my $worker = worker();
  $SIG{HUP} = sub { my $former = $worker; $worker = worker(); kill 9, $former; waitpid $former, 0 };
  $SIG{TERM} = sub { kill 9, $worker; exit };
  $| = 1; print "up\\n"; sleep 1 while 1`;

/** The real system, but for nginx: a real master whose worker is another one after each reload. */
export class ServingSystem extends UnprivilegedSystem {
  /** What nginx says of its configuration, where it refuses it. */
  refusal: string | undefined;
  readonly nginx: string[] = [];
  readonly #master: ChildProcess;

  private constructor(master: ChildProcess) {
    super();
    this.#master = master;
  }

  static async start({ nginxPid }: Layout): Promise<ServingSystem> {
    const master = kept(
      spawn("perl", ["-e", nginxProgram], { argv0: "nginx", stdio: ["ignore", "pipe", "ignore"] }),
    );
    await once(master.stdout, "data");
    writeFileSync(nginxPid, String(master.pid));
    return new ServingSystem(master);
  }

  override run(command: Command, options?: RunOptions): Promise<string> {
    if (command.file !== "nginx") return super.run(command, options);
    this.nginx.push(command.args.slice(4).join(" "));
    if (this.refusal !== undefined) {
      const outcome = { output: this.refusal, exitCode: 1, timedOut: false };
      return Promise.reject(new CommandFailed(command, outcome));
    }
    if (command.args.includes("reload")) this.#master.kill("SIGHUP");
    return Promise.resolve("");
  }
}

function kept<T extends ChildProcess>(child: T): T {
  onTestFinished(() => void child.kill("SIGTERM"));
  return child;
}

/** The real one, but for virtualenvs, which hold a program that says what a `pip freeze` would. */
const interpreter = `#!/bin/sh
[ "$1 $2" = "-m venv" ] || exec /usr/bin/python3 "$@"
mkdir "$3/bin" && printf '#!/bin/sh\necho greeting==1.0\n' > "$3/bin/python" && chmod 755 "$3/bin/python"
`;

export interface ServingWorld extends AgentWorld {
  emperor: UnitEmperor;
  system: ServingSystem;
  said: string[];
}

/**
 * An agent's world in which vassals answer, nginx is told and environments are made by a program of the test's own; the
 * app `demo` has its folders, and these options.
 */
export async function servingWorld(options = ""): Promise<ServingWorld> {
  const world = agentWorld();
  const { context, layout } = world;
  const defaults = readOptions(serverOptions, { path: "", text: "", code: "OPTION_INVALID" });
  const python = join(layout.home, "python");
  writeFileSync(python, interpreter, { mode: 0o755 });
  // Nobody waits in a queue here.
  const own = { domain: "localhost", port: 80, python, drain: 0 };
  Object.assign(context.config.server, defaults, own);
  const emperor = await UnitEmperor.start(layout);
  const system = await ServingSystem.start(layout);
  const { config, groups } = context;
  // What it needs of a system where there is no root is `isRoot`.
  const means = { config, groups, system } as unknown as ConstructorParameters<typeof Builders>[0];
  Object.assign(context, {
    ...{ system, listen: 100, abi: "cpython-311", installer: { name: "pip", file: "pip" } },
    builders: new Builders(means, [ownIdentity()]),
  });
  await provideFolders(context, "demo");
  setOptions(world, options);
  return { ...world, emperor, system, said: [] };
}

/** What the options of `demo` are from now on. */
export function setOptions({ layout }: Pick<AgentWorld, "layout">, options: string): void {
  writeFileSync(optionsFile(layout, "demo"), options);
}

/** Who pushes, for as long as this process runs. */
const pusher: Holder = { pid: process.pid, startTime: 1, turn: 0 };
/** And who pushes beside them. */
export const other: Holder = { ...pusher, turn: 7 };

/** A push of a branch that is a preview. */
export const shop = { ref: "refs/heads/shop" };

export interface Push {
  ref?: string;
  files?: Files;
  requirements?: RequirementsFile[];
  reason?: AgentRequest<"start">["reason"];
  holder?: Holder;
  variables?: VariablesChange;
}

/** The first half of a push: what is said, and the deploy; the commit is not what its ref names yet. */
export async function begin(world: ServingWorld, push: Push = {}): Promise<Deploy> {
  const { context, repository, said } = world;
  const { ref = "refs/heads/main", files, reason = "push", holder = pusher } = push;
  const named = repository.run(["for-each-ref", "--format=%(objectname)", ref]).trim();
  const main = repository.run(["rev-parse", "refs/heads/main"]).trim();
  const newCommit = files ? repository.commit(files) : main;
  // What was committed is there, and the branch is where it was: git moves it when the release is proven.
  repository.run(["update-ref", "refs/heads/main", main]);
  const request: AgentRequest<"start"> = {
    ...{ app: "demo", ref, newCommit, account: "ada", reason, holder },
    oldCommit: named === "" ? absentCommit : named,
    ...(ref !== "refs/heads/main" && { preview: branchOf(ref) }),
  };
  return startDeploy(context, request, (line) => said.push(line));
}

export async function prove(
  { context, said }: ServingWorld,
  { id }: Deploy,
  { requirements = [], variables }: Push = {},
): Promise<void> {
  const proposal = {
    processes: [{ type: "web" as const, kind: "wsgi" as const, module: "app:app" }],
    ...{ root: "", requirements },
  };
  const request = { deploy: id, subject: "A change", proposal, variables };
  await prepareDeploy(context, request, (line) => said.push(line));
}

/** A push from its beginning to its end, and until nothing moves any more. */
export async function push(world: ServingWorld, what: Push = {}): Promise<Deploy> {
  const deploy = await begin(world, what);
  await prove(world, deploy, what);
  return finish(world, deploy);
}

/** The same where the vassal for good does not come up: the app is degraded, and its understudy goes on. */
export async function pushDegraded(world: ServingWorld, what: Push = {}): Promise<Deploy> {
  const { emperor } = world;
  const { app } = emperor;
  const deploy = await begin(world, what);
  await prove(world, deploy, what);
  emperor.app = () => 500;
  const live = await finish(world, deploy);
  emperor.app = app;
  return live;
}

/** The second half of a push. */
async function finish(
  { context, repository, said }: ServingWorld,
  deploy: Deploy,
): Promise<Deploy> {
  await switchDeploy(context, deploy.id);
  repository.run(["update-ref", deploy.ref, deploy.newCommit]);
  await confirmRef(context, { holder: deploy.holder, ref: deploy.ref }, (line) => said.push(line));
  context.locks.release(deploy.holder);
  await context.background.idle(deploy.instance);
  return context.store.deploys.get(deploy.id)!;
}
