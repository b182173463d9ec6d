import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { pino } from "pino";
import { onTestFinished } from "vitest";
import { repositoryPath, type Instance } from "../../src/names/instance.ts";
import { absentCommit } from "../../src/names/names.ts";
import { embeddedLayout, type Layout } from "../../src/config/layout.ts";
import { Attempts } from "../../src/agent/world/attempts.ts";
import { BackgroundWork } from "../../src/agent/world/background-work.ts";
import type { DeployContext } from "../../src/agent/world/context.ts";
import { HolderLocks } from "../../src/agent/world/locks.ts";
import { Links } from "../../src/agent/world/links.ts";
import { ControlGroups } from "../../src/system/control-groups.ts";
import { ownIdentity } from "../../src/system/identity.ts";
import { Turns } from "../../src/system/turns.ts";
import type { Holder } from "../../src/names/deploy.ts";
import type { Deploy } from "../../src/agent/store/deploys.ts";
import { AgentStore } from "../../src/agent/store/store.ts";
import { emperorOf } from "../../src/agent/vassal/emperor.ts";
import { temporaryFolder } from "./unit-folder.ts";
import { UnprivilegedSystem } from "./unit-identity.ts";
import { Repository } from "./unit-repository.ts";

/** An agent's world with real files, a real git and a real store, and no Emperor or nginx that runs. */
export interface AgentWorld {
  context: DeployContext;
  repository: Repository;
  layout: Layout;
}

/** With the app `demo`, whose repository has one commit. */
export function agentWorld(): AgentWorld {
  const layout = embeddedLayout(temporaryFolder());
  const repositoryFolder = repositoryPath(layout, "demo");
  const { vassals, sockets, links, appLogs, apps, sitesAvailable, sitesEnabled, sharedHosts, srv } =
    layout;
  for (const folder of [
    ...[vassals, sockets, links, appLogs, apps, sitesAvailable, sitesEnabled, sharedHosts, srv],
    ...[layout.agentState, repositoryFolder],
  ])
    mkdirSync(folder, { recursive: true });
  const repository = new Repository({ folder: repositoryFolder });
  repository.commit({ "app.py": "" });

  const store = new AgentStore(join(layout.agentState, "agent.db"));
  onTestFinished(() => store.close());
  store.apps.create("demo");
  const own = ownIdentity();
  const context = {
    config: {
      layout,
      server: {
        domain: "localhost",
        port: 80,
        public_url: "",
        trusted_proxies: "",
        preview_days: 90,
        drain: 1000,
      },
    },
    system: new UnprivilegedSystem(),
    store,
    identities: { front: own, web: own },
    gitConfiguration: "/dev/null",
    emperor: emperorOf(layout),
    groups: new ControlGroups(),
    nginx: {
      configuration: layout.nginxConfiguration,
      prefix: layout.nginx,
      pidFile: layout.nginxPid,
      sites: { available: sitesAvailable, enabled: sitesEnabled, sharedHosts },
      turns: new Turns(),
    },
    locks: new HolderLocks(),
    attempts: new Attempts(),
    background: new BackgroundWork(),
    links: new Links(),
    turns: new Turns(),
    log: pino({ level: "silent" }),
  } as unknown as DeployContext;
  return { context, repository, layout };
}

type World = Pick<AgentWorld, "context" | "repository">;

/** A branch's preview that is on the air since this time; who pushed it is gone. */
export function previewOf(world: World, branch: string, liveAt: Date): Deploy {
  claim(world, branch);
  place(world, branch);
  world.repository.run(["update-ref", `refs/heads/${branch}`, "refs/heads/main"]);
  return goLive(world, branch, liveAt);
}

const instanceOf = (branch: string): Instance => ({
  ...{ name: `${branch}--demo`, app: "demo", branch },
  place: { scheme: "http", host: `${branch}--demo.localhost`, path: "/", port: 0 },
});

export function claim({ context: { store } }: World, branch: string): void {
  const instance = instanceOf(branch);
  store.previews.claim("demo", branch, { name: () => instance.name, place: () => instance.place });
}

export function place({ context: { store } }: World, branch: string): void {
  store.instances.place(instanceOf(branch));
}

export function goLive(
  { context: { store }, repository }: World,
  branch: string,
  liveAt: Date,
): Deploy {
  const deploy = store.deploys.start({
    ...{ app: "demo", instance: `${branch}--demo`, reason: "push", account: "ada" },
    ...{ ref: `refs/heads/${branch}`, oldCommit: absentCommit, holder: gone },
    newCommit: repository.run(["rev-parse", "refs/heads/main"]).trim(),
  });
  store.deploys.change(deploy.id, {
    processes: [{ type: "web", kind: "wsgi", module: "app:app" }],
  });
  store.recordLive(deploy, { liveAt: liveAt.toISOString(), milliseconds: 1, settled: true });
  return store.deploys.get(deploy.id)!;
}

/** Beyond the largest number that a process may have. */
export const gone: Holder = { pid: 4_194_305, startTime: 1, turn: 0 };
