import { createServer, type Server } from "node:http";
import { join } from "node:path";
import type { Logger } from "pino";
import { AgentClient } from "../protocol/client.ts";
import { repositoryPath, submodulesPath } from "../names/instance.ts";
import { programRoot, readNotifySocket, type Config } from "../config/config.ts";
import { gitLimits, mebibyte, type ServerOptions } from "../config/server-options.ts";
import { listenOn, verbServer } from "../protocol/channel.ts";
import { gitEnvironment, withQuarantine, type GitContext } from "../system/git.ts";
import { shellLimits } from "../system/limits.ts";
import { LocalSystem } from "../system/system.ts";
import { openLog } from "../system/log.ts";
import { tellReady } from "../system/ready.ts";
import { holding } from "./push/deploys.ts";
import { recordUntold } from "./hooks/record.ts";
import { holderOf, Pushers, type Running } from "./push/pushers.ts";
import { noteUnclaimed } from "./push/readable.ts";
import { wholeTree } from "../names/whole-tree.ts";
import type { Holder } from "../names/deploy.ts";
import { FrontStore } from "./store/store.ts";
import { AppMaker } from "./repositories/app-maker.ts";
import { AuthorizedKeys } from "./accounts/authorized-keys.ts";
import { reconcileAll } from "./commands/reconcile.ts";
import { controlListener, type Control } from "./control.ts";
import { Credentials } from "./accounts/credentials.ts";
import { gateListener, type Gate } from "./http/gate.ts";
import { Slots } from "./slots.ts";
import { refRights } from "./push/ref-rights.ts";
import { Repositories } from "./repositories/repositories.ts";
import { localAdministrator, Rights } from "./accounts/rights.ts";
import { Sessions } from "./ssh/sessions.ts";
import { Throttle } from "./http/throttle.ts";
import { Tidying } from "./repositories/tidying.ts";
import { readToken } from "./accounts/token.ts";

const sweepEvery = 500;
const tidyEvery = 2000;
/** Milliseconds that a fetch, which needs nothing else of the agent, waits for it. */
const timeout = 5000;

/** The half that listens and has no rights: git over HTTP behind nginx, and the control socket. */
export async function runFront(config: Config): Promise<void> {
  process.umask(0o027);
  const notifySocket = readNotifySocket();
  adoptGitEnvironment(config);
  const { layout } = config;
  const { control, gate } = await makeWorld(config);
  await control.authorizedKeys.write();
  await control.repositories.furnish();

  await listenOn(verbServer(controlListener(control)), layout.controlSocket);
  const gateServer = makeGateServer(gate);
  await listenOn(gateServer, layout.httpSocket);
  await tellReady(control.system, notifySocket);
  const sweep = setInterval(() => {
    Promise.all([control.pushers.sweep(), control.sessions.sweep()]).catch((error: unknown) => {
      control.log.warn({ err: error }, "could not look for gits that are gone");
    });
    control.repositories.sweepExpected().catch((error: unknown) => {
      control.log.warn({ err: error }, "could not remove what a git left");
    });
  }, sweepEvery);
  const tidy = setInterval(() => {
    control.tidying.next().catch((error: unknown) => {
      control.log.warn({ err: error }, "could not tidy the repositories");
    });
  }, tidyEvery);
  control.log.info("the front listens");
  await reconcileAll(control, localAdministrator.account, (line) => control.log.info(line)).catch(
    (error: unknown) => control.log.error({ err: error }, "could not reconcile"),
  );
  await control.apps
    .sweep()
    .catch((error: unknown) => control.log.warn({ err: error }, "could not remove unused apps"));

  for (const signal of ["SIGTERM", "SIGINT"] as const) {
    process.once(signal, () => {
      clearInterval(sweep);
      clearInterval(tidy);
      control.store.close();
      process.exit(0);
    });
  }
}

/** Connections of nginx's: those that work or wait have slots, and the others are answered as they come. */
const mostConnections = 2000;

function makeGateServer(gate: Gate): Server {
  // A long upload takes as long as it takes: it is given up when nothing comes any more, not by the clock.
  const server = createServer(
    { requestTimeout: 0, headersTimeout: 10_000, keepAliveTimeout: 5000, maxHeaderSize: 32 * 1024 },
    gateListener(gate),
  );
  server.maxConnections = mostConnections;
  return server;
}

function gateRules(server: ServerOptions): Pick<Gate, "wire" | "pushLimit"> {
  return {
    wire: { plainHttp: server.plain_http, url: server.public_url },
    pushLimit: server.push_limit * mebibyte,
  };
}

async function makeWorld(config: Config): Promise<{ control: Control; gate: Gate }> {
  const { layout, server } = config;
  const system = new LocalSystem();
  const log = openLog("front");
  const agent = new AgentClient(layout.agentSocket);
  const repositories = new Repositories(layout, system);
  const store = new FrontStore(layout.frontDatabase, {
    days: server.audit_days,
    onChange: (change) => log.info({ change }, "changed"),
  });
  const rights = new Rights(store);
  const tell = tellingOf(agent, log);
  // What HTTP and SSH share: one way to find out who it is, and one to get at a repository.
  const judging = {
    agent,
    system,
    ...refRights(rights, store),
    ...gitsOf(config),
  };
  const pushers = new Pushers({
    policyOf: (app) => agent.ask("policy", { app }),
    onGone: (pusher) => {
      noteGone(pusher, repositories, log);
      recordUntold(judging, pusher).catch((error: unknown) =>
        log.error({ err: error, app: pusher.app }, "could not write down what became of a push"),
      );
      tidying.pushed(pusher.app);
      tell(pusher.holder);
    },
  });
  const apps = new AppMaker({
    ...{ store, rights, repositories, appsEach: server.apps_each },
    createApp: (app) => agent.ask("create", { app }),
    removeApp: (app) =>
      holding({ agent }, async (holder) => {
        await agent.ask("destroy", { app, holder });
      }),
    wasDeployed: async (app) => (await agent.ask("deploys", { app, limit: 1 })).length > 0,
  });
  const tidying = new Tidying({ ...judging, repositories, apps, log });
  const shared = {
    ...judging,
    tidying,
    store,
    credentials: new Credentials(store, await readToken(layout)),
    rights,
    repositories,
    pushers,
    apps,
    createOnPush: server.create_on_push,
    ...slotsOf(server),
    limits: gitLimits(server),
    sessions: new Sessions(),
    confine: confining(agent, log),
    log,
  };
  return {
    control: { ...shared, layout, authorizedKeys: new AuthorizedKeys(layout, store) },
    gate: { ...shared, throttle: new Throttle(), ...gateRules(server) },
  };
}

/** How git reads an app's repository, and a commit's whole tree. */
function gitsOf({ layout, server }: Config): Pick<Control, "gitOf" | "treeOf"> {
  const gitOf = (app: string): GitContext => ({
    repository: repositoryPath(layout, app),
    configuration: layout.gitConfiguration,
    limits: gitLimits(server),
  });
  return {
    gitOf,
    treeOf: (app, commit, quarantine) =>
      wholeTree(withQuarantine(gitOf(app), quarantine), submodulesPath(layout, app), commit),
  };
}

/** What a git that has ended may have left: locks, and what it took in where it was killed or could not move its ref. */
function noteGone(
  { app, isTaken, isDone }: Running,
  repositories: Repositories,
  log: Logger,
): void {
  // What lies there afterwards is somebody else's.
  if (isDone) return;
  repositories.expectLeavings(app);
  if (!isTaken) return;
  noteUnclaimed(repositories.path(app)).catch((error: unknown) =>
    log.warn({ err: error, app }, "could not note what a push left"),
  );
}

function slotsOf({ git_sessions: all, git_sessions_each: each }: ServerOptions): {
  slots: Slots;
  commandSlots: Slots;
} {
  return {
    slots: new Slots({ all, each }),
    commandSlots: new Slots({ all, each, work: "commands" }),
  };
}

/**
 * Has the agent put a git into a control group of its own, before it gets a byte of what somebody sends. Where that
 * cannot be, the limits that each process has are what there is.
 */
function confining(agent: AgentClient, log: Logger): (pid: number) => Promise<void> {
  return async (pid) => {
    try {
      const { startTime } = holderOf(pid);
      const signal = AbortSignal.timeout(timeout);
      await agent.ask("confine", { pid, startTime }, { signal });
    } catch (error) {
      log.warn({ err: error, pid }, "a git got no control group");
    }
  };
}

function tellingOf(agent: AgentClient, log: Logger): (holder: Holder) => void {
  return (holder) => {
    agent
      .ask("finished", { holder })
      .catch((error: unknown) =>
        log.warn(
          { err: error },
          "the agent was not told that a push ended; it will see for itself",
        ),
      );
  };
}

/**
 * node-git-server hands git this process's environment: it is made to be fit for that. What it takes for git is
 * hooks/limited, which puts git in its own place.
 */
function adoptGitEnvironment({ layout, server }: Config): void {
  for (const name of Object.keys(process.env)) {
    if (name !== "PATH" && name !== "LANG") Reflect.deleteProperty(process.env, name);
  }
  Object.assign(process.env, gitEnvironment(layout.gitConfiguration), {
    REEVE_CONTROL: layout.controlSocket,
    ...shellLimits(gitLimits(server)),
    PATH: `${join(programRoot, "hooks", "limited")}:${process.env["PATH"] ?? ""}`,
  });
}
