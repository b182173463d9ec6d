import { join } from "node:path";
import { readNotifySocket, type Config } from "../config/config.ts";
import { gitLimits } from "../config/server-options.ts";
import type { DeployContext } from "./world/context.ts";
import { Attempts } from "./world/attempts.ts";
import { BackgroundWork } from "./world/background-work.ts";
import { Builders, provideBuilders } from "./users/builders.ts";
import { sweepGitGroups } from "./verbs/git-groups.ts";
import { judgeHolder } from "./deploy/judge.ts";
import { ensureIdentities } from "./users/identities.ts";
import { HolderLocks } from "./world/locks.ts";
import { reconcile, reconcileAnew } from "./reconcile/reconcile.ts";
import { takeFormerLinks } from "./reconcile/former-links.ts";
import { renameFormerSettings } from "./reconcile/former-settings.ts";
import { sweepPreviews } from "./reconcile/sweep.ts";
import { Links } from "./world/links.ts";
import { pip, type Installer } from "./environment/environment-commands.ts";
import { answerVerbs, listenOn, verbServer } from "../protocol/channel.ts";
import { ControlGroups, ownGroup } from "../system/control-groups.ts";
import { isExecutable } from "../system/files.ts";
import { LocalSystem } from "../system/system.ts";
import { openLog } from "../system/log.ts";
import { tellReady } from "../system/ready.ts";
import { Turns } from "../system/turns.ts";
import type { Holder } from "../names/deploy.ts";
import { AgentStore } from "./store/store.ts";
import { emperorOf, longestQueue } from "./vassal/emperor.ts";
import { SleepWatch } from "./vassal/sleep-watch.ts";
import { verbsOf } from "./verbs/verbs.ts";

const sweepEvery = 500;
/** Milliseconds: previews are kept for days, so that nobody waits for this. */
const previewsEvery = 600_000;
const firstSweep = 10_000;

/** The half that has the rights and does not listen: one unix socket, a handful of verbs. */
export async function runAgent(config: Config): Promise<void> {
  // What the agent makes is for root, for the group that it names, and for nobody else.
  process.umask(0o027);
  const context = await makeContext(config);
  await renameFormerSettings(context);
  await takeFormerLinks(context);
  const { postponed } = await reconcile(context, true);

  const verbs = verbsOf(context);
  const server = verbServer(
    answerVerbs(verbs, (error) =>
      context.log.error({ err: error }, "a request failed by a mistake of reeve's"),
    ),
  );
  await listenOn(server, config.layout.agentSocket);
  // systemd starts the Emperor after this: what is in the vassals' folder by now is to run.
  await tellReady(context.system, readNotifySocket());
  const failed = (what: string) => (error: unknown) =>
    context.log.error({ err: error }, `could not ${what}`);
  const sweep = setInterval(() => {
    judgeDeadHolders(context).catch(failed("look for pushes that are gone"));
    sweepGitGroups(context).catch(failed("remove the control group of a git that is gone"));
  }, sweepEvery);
  const sleep = new SleepWatch(
    context.emperor,
    failed("tell the Emperor of a preview that fell asleep"),
  );
  sleep.start(context.groups.means.kill);
  const sweepThem = (): void => {
    sweepPreviews(context).catch(failed("sweep the previews"));
  };
  const sweepers = [setTimeout(sweepThem, firstSweep), setInterval(sweepThem, previewsEvery)];
  if (postponed) reconcileAnew(context).catch(failed("reconcile"));
  context.log.info({ installer: context.installer, abi: context.abi }, "the agent listens");

  for (const signal of ["SIGTERM", "SIGINT"] as const) {
    process.once(signal, () => {
      for (const timer of [sweep, ...sweepers]) clearInterval(timer);
      sleep.stop();
      server.close();
      context.store.close();
      process.exit(0);
    });
  }
}

const told = new WeakSet<Holder>();

async function judgeDeadHolders(context: DeployContext): Promise<void> {
  // At once: one whose requests are still finished keeps no other waiting.
  const judging = (await context.locks.deadHolders()).map((holder) =>
    judgeHolder(context, holder).catch((error: unknown) => {
      // It is tried again at once, and said once.
      if (!told.has(holder))
        context.log.error({ err: error, holder }, "could not judge a push that is gone");
      told.add(holder);
    }),
  );
  await Promise.all(judging);
}

async function makeContext(config: Config): Promise<DeployContext> {
  const { layout, server } = config;
  const system = new LocalSystem();
  const store = new AgentStore(join(layout.agentState, "agent.db"));
  const identities = await ensureIdentities(config, system);
  const groups = readNotifySocket()
    ? await ControlGroups.ofUnit("agent")
    : await ControlGroups.below(ownGroup(layout.home));
  const users = await provideBuilders({ config, system, store, identities });
  return {
    config,
    system,
    store,
    identities,
    builders: new Builders({ config, system, groups }, users),
    installer: await findInstaller(config),
    abi: (
      await system.run({
        file: server.python,
        args: ["-I", "-S", "-c", "import sys; print(sys.implementation.cache_tag)"],
      })
    ).trim(),
    gitConfiguration: layout.gitConfiguration,
    gitLimits: gitLimits(server),
    listen: longestQueue(),
    emperor: emperorOf(layout),
    groups,
    nginx: {
      configuration: layout.nginxConfiguration,
      prefix: layout.nginx,
      pidFile: layout.nginxPid,
      sites: {
        available: layout.sitesAvailable,
        enabled: layout.sitesEnabled,
        sharedHosts: layout.sharedHosts,
      },
      turns: new Turns(),
    },
    locks: new HolderLocks(),
    attempts: new Attempts(),
    background: new BackgroundWork(),
    links: new Links(),
    turns: new Turns(),
    log: openLog("agent"),
  };
}

/** uv where it is found, in reeve's own folder or on the system's path; else pip. */
async function findInstaller({ layout }: Config): Promise<Installer> {
  for (const file of [join(layout.tools, "uv", "bin", "uv"), "/usr/local/bin/uv", "/usr/bin/uv"]) {
    if (await isExecutable(file)) return { name: "uv", file };
  }
  return pip;
}
