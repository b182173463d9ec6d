import { createServer } from "node:http";
import { pino } from "pino";
import { AgentClient } from "../agent/client.ts";
import { repositoryPath } from "../app/instance.ts";
import type { Config } from "../config/config.ts";
import { listenOn, verbServer } from "../host/channel.ts";
import { gitEnvironment } from "../host/git.ts";
import { LocalHost } from "../host/host.ts";
import { Pushers } from "../push/pushers.ts";
import { controlListener, reconcileAll, type Control } from "./control.ts";
import { gateListener } from "./gate.ts";
import { Repositories } from "./repositories.ts";
import { Rights } from "./rights.ts";
import { readToken } from "./token.ts";

const megabyte = 1024 * 1024;

/** The half that listens and has no rights: git over HTTP behind nginx, and the control socket. */
export async function runFront(config: Config): Promise<void> {
  process.umask(0o027);
  adoptGitEnvironment(config);
  const { layout, server } = config;
  const log = pino({ name: "front" });
  const host = new LocalHost();
  const agent = new AgentClient(layout.agentSocket);
  const repositories = new Repositories(layout, host);
  const pushers = new Pushers((holder) => {
    agent
      .ask("finished", { holder })
      .catch((error: unknown) =>
        log.warn(
          { err: error },
          "the agent was not told that a push ended; it will see for itself",
        ),
      );
  });
  const createApp = async (app: string): Promise<void> => {
    await agent.ask("create", { app });
    await repositories.create(app);
  };
  const control: Control = {
    agent,
    host,
    pushers,
    repositories,
    log,
    createApp,
    gitOf: (app) => ({
      repository: repositoryPath(layout, app),
      configuration: layout.gitConfiguration,
    }),
  };
  const gate = {
    rights: new Rights(await readToken(layout)),
    repositories,
    pushers,
    createApp,
    createOnPush: server.create_on_push,
    pushLimit: server.push_limit * megabyte,
    log,
  };

  const controlServer = verbServer(controlListener(control));
  await listenOn(controlServer, layout.controlSocket);
  // A long upload takes as long as it takes: it is given up when nothing comes any more, not by the clock.
  const gateServer = createServer(
    { requestTimeout: 0, headersTimeout: 10_000, maxHeaderSize: 32 * 1024 },
    gateListener(gate),
  );
  await listenOn(gateServer, layout.httpSocket);
  log.info("the front listens");
  await reconcileAll(control, (line) => log.info(line)).catch((error: unknown) =>
    log.error({ err: error }, "could not reconcile"),
  );

  for (const signal of ["SIGTERM", "SIGINT"] as const) {
    process.once(signal, () => process.exit(0));
  }
}

/** node-git-server hands git this process's environment: it is made to be fit for that. */
function adoptGitEnvironment({ layout }: Config): void {
  for (const name of Object.keys(process.env)) {
    if (name !== "PATH" && name !== "LANG") Reflect.deleteProperty(process.env, name);
  }
  Object.assign(process.env, gitEnvironment(layout.gitConfiguration), {
    REEVE_CONTROL: layout.controlSocket,
  });
}
