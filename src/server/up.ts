import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import {
  configVariables,
  frontVariables,
  readConfig,
  type Config,
  type Overrides,
} from "../config/config.ts";
import { addressesOf } from "../config/listening.ts";
import type { Identities } from "../agent/users/identities.ts";
import { ControlGroups, ownGroup } from "../system/control-groups.ts";
import { isPresent, removeFile } from "../system/files.ts";
import { LocalSystem, type System } from "../system/system.ts";
import { mostOpenFiles } from "../system/processes.ts";
import { Supervised, type Service } from "../system/supervisor.ts";
import { emperorOf, listVassals } from "../agent/vassal/emperor.ts";
import {
  describeSelf,
  expectFreePort,
  expectOnlyServer,
  expectPackages,
  isListening,
} from "./checks.ts";
import { prepare } from "./prepare.ts";
import { prepareSsh } from "./ssh.ts";
import { welcome } from "./welcome.ts";

type Say = (line: string) => void;

/**
 * Runs the whole embedded server in the foreground: nginx, agent, Emperor and front, under one folder.
 * Ends, with everything it started and nothing else, on Ctrl-C.
 */
export async function up(flags: Overrides, say: Say): Promise<void> {
  const config = readConfig(flags);
  const system = new LocalSystem();
  await expectPackages();
  const pidFile = await expectOnlyServer(config);
  await expectFreePort(config.server.port, addressesOf(config.server.listen));

  const { identities, program } = await prepare(config, {
    system,
    group: ownGroup(config.layout.home),
    say,
  });
  await writeFile(pidFile, await describeSelf());
  const groups = await ControlGroups.below(ownGroup(config.layout.home));
  if (!groups.means.kill)
    say(
      "reeve: this system gives no control groups, so what an app leaves running is looked for by its user alone",
    );
  // After a reboot the numbers in them may be others' processes, which would get our signals.
  for (const stale of [config.layout.emperorPid, config.layout.nginxPid]) await removeFile(stale);
  const ssh = await prepareSsh(config, system, identities.front, say);

  const list = await services(config, system, identities, program);
  // The last: the front writes before which keys are let in.
  if (ssh) list.push(ssh.service);
  const stop = await startServices(list, say);
  try {
    for (const line of welcome(config, ssh)) say(line);
    await untilStopped();
    say("\nreeve: stopping");
  } finally {
    await stop();
    // An app may have left something running in a session of its own.
    await groups.dissolve();
    await removeFile(pidFile);
  }
  say("reeve: stopped; the next start brings every app back");
}

/**
 * Open files of the Emperor and of each app that asks for no more: what systemd gives a service. Node raises its own
 * limit as far as it may, and the Emperor, which would inherit that, closes every file that its limit allows, one by
 * one, before it starts a vassal (uWSGI core/emperor.c).
 */
const openFiles = 1024;

/** Node as the agent and the front run in it: what a long list leaves is cleared away early, and never many megabytes. */
const nodeFlags = ["--max-semi-space-size=4"];

/** Each needs the ones before it, and they are ended in the other direction. */
async function services(
  config: Config,
  system: System,
  { front }: Identities,
  program: string,
): Promise<Service[]> {
  const { layout } = config;
  const files = Math.min(openFiles, await mostOpenFiles());
  const nginx = ["-p", layout.nginx, "-c", layout.nginxConfiguration];
  const environment = { PATH: process.env["PATH"] ?? "", LANG: "C.UTF-8" };
  return [
    // The agent comes first: it puts the vassals' folder in order before the Emperor reads it.
    {
      name: "agent",
      file: process.execPath,
      args: [...nodeFlags, join(program, "dist", "main.js"), "agent", "--home", layout.home],
      env: { ...environment, ...configVariables(config) },
      log: join(layout.log, "agent.log"),
      ready: () => isListening(layout.agentSocket),
    },
    {
      name: "Emperor",
      file: "prlimit",
      args: [`--nofile=${files}:`, "--", "/usr/bin/uwsgi-core", "--ini", layout.emperorIni],
      // Nothing of ours reaches a vassal: in an ini, $(NAME) reads the environment.
      env: { PATH: "/usr/sbin:/usr/bin:/sbin:/bin", LANG: "C.UTF-8" },
      log: join(layout.log, "emperor.log"),
      ready: async () => (await listVassals(emperorOf(layout))).length >= 0,
    },
    {
      name: "nginx",
      file: "/usr/sbin/nginx",
      args: nginx,
      env: environment,
      log: join(layout.log, "nginx-error.log"),
      ready: () => isPresent(layout.nginxPid),
    },
    {
      name: "front",
      file: process.execPath,
      args: [...nodeFlags, join(program, "dist", "main.js"), "front", "--home", layout.home],
      env: { ...environment, ...frontVariables(config) },
      log: join(layout.log, "front.log"),
      as: system.isRoot ? front : undefined,
      ready: () => isListening(layout.httpSocket),
    },
  ];
}

const timeout = 10_000;

async function startServices(list: Service[], say: Say): Promise<() => Promise<void>> {
  const running: Supervised[] = [];
  const stop = async (): Promise<void> => {
    for (const service of running.reverse()) await service.stop(timeout);
  };
  try {
    for (const service of list) {
      const supervised = new Supervised(service, (line) => say(`reeve: ${line}`));
      running.push(supervised);
      await supervised.start();
    }
  } catch (error) {
    await stop();
    throw error;
  }
  return stop;
}

function untilStopped(): Promise<void> {
  return new Promise((resolve) => {
    for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const)
      process.once(signal, () => resolve());
  });
}
