import { join } from "node:path";
import { frontVariables, listenAddresses, programRoot, type Config } from "../config/config.ts";
import { addressesOf } from "../config/listening.ts";
import { provideBuilders } from "../agent/users/builders.ts";
import { ensureIdentities, type Identities } from "../agent/users/identities.ts";
import { UserError } from "../errors.ts";
import { writeAtomically } from "../system/files.ts";
import { CommandFailed, LocalSystem, type System, type Identity } from "../system/system.ts";
import { ensureIdentity, ownIdentity } from "../system/identity.ts";
import { AgentStore } from "../agent/store/store.ts";
import { relisten, sharedHostsIn } from "../agent/vhost/relisten.ts";
import { runningNginx, testNginx } from "../agent/vhost/nginx.ts";
import {
  expectFreePort,
  expectOnlyServer,
  expectPackages,
  expectReachable,
  isReadableBy,
  sayUnprotected,
} from "./checks.ts";
import { closeLogs, copyProgram, makeFolders, writeConfigurations } from "./furnish.ts";

type Say = (line: string) => void;

/** Under systemd the Emperor's control group is its unit's own. */
const unitGroup = ".";

/**
 * What has to stand before anything starts: users, folders, configurations. nginx takes its own, or it is named why
 * not. `group`: the control group of the Emperor and the apps, below the one that the Emperor is started in.
 */
export async function prepare(
  config: Config,
  { system, group, say }: { system: LocalSystem; group: string; say: Say },
): Promise<{ identities: Identities; program: string }> {
  const identities = await ensureIdentities(config, system);
  await expectReachable(system, config.layout.home, [identities.front, await anybody(system)]);
  await makeFolders(config, system, identities);
  await withStore(config, async (store) => {
    // Environments are built by users of their own, which are there before the first of them.
    await provideBuilders({ config, system, store, identities });
    for (const line of await moveListening(config, store)) say(line);
    await expectPreviewsPorts(config, store);
  });
  await closeLogs(config);
  if (!system.isRoot)
    say("reeve: not root, so apps, git and reeve all run as one user: nothing keeps them apart");
  else if (!(await system.hasNamespaces()))
    say(
      "reeve: this system makes no PID namespace for root, as in a container: what a build leaves running is not ended with it",
    );
  for (const line of await sayUnprotected()) say(line);
  const program = await findProgram(config, system, identities, say);
  const web = system.isRoot ? identities.web : undefined;
  await writeConfigurations(config, program, { web, group });

  // What comes from here on is for root and the group of whoever makes it: an address in nginx's log may hold a
  // secret, and a test of its configuration makes the log.
  process.umask(0o027);
  await expectNginxTakes(config, system);
  return { identities, program };
}

/** The same for systemd, whose units start the rest: the program must be where they say, and not a copy. */
export async function prepareForUnits(config: Config, say: Say): Promise<void> {
  await expectPackages();
  await expectOnlyServer(config);
  if (!(await hasItsPorts(config)))
    await expectFreePort(config.server.port, addressesOf(config.server.listen), {
      hint: "Choose another one: port in etc/server.toml",
    });
  const system = new LocalSystem();
  const { identities, program } = await prepare(config, { system, group: unitGroup, say });
  if (program !== programRoot) {
    throw new UserError(
      "FOLDER_CLOSED",
      `the user ${identities.front.name} may not read ${programRoot}`,
      { hint: "Put reeve where everybody can read it: the units start it from /opt/reeve." },
    );
  }
  await writeAtomically(config.layout.frontVariables, environmentFile(frontVariables(config)), {
    mode: 0o600,
  });
}

/** As systemd.exec(5) reads an EnvironmentFile: between double quotes a backslash keeps what follows it as it is. */
function environmentFile(variables: Record<string, string>): string {
  const lines = Object.entries(variables).map(
    ([name, value]) => `${name}="${value.replace(/["\\`$]/g, "\\$&")}"\n`,
  );
  return lines.join("");
}

/** What somebody wrote into a server block since the last start is named before anything starts. */
async function expectNginxTakes({ layout }: Config, system: System): Promise<void> {
  const nginx = {
    configuration: layout.nginxConfiguration,
    prefix: layout.nginx,
    pidFile: layout.nginxPid,
  };
  try {
    await system.run(testNginx(nginx));
  } catch (error) {
    if (!(error instanceof CommandFailed)) throw error;
    throw new UserError("VHOST_REJECTED", `nginx refuses its configuration:\n${error.output}`, {
      hint: "Mend the file that nginx names, then start again.",
      cause: error,
    });
  }
}

async function withStore(
  { layout }: Config,
  work: (store: AgentStore) => Promise<void>,
): Promise<void> {
  const store = new AgentStore(join(layout.agentState, "agent.db"));
  try {
    await work(store);
  } finally {
    store.close();
  }
}

/** All server blocks listen where the options say. Resolves to a line for each that somebody edited, and that does not. */
async function moveListening(config: Config, store: AgentStore): Promise<string[]> {
  const sites = { available: config.layout.sitesAvailable };
  const shared = await sharedHostsIn(sites);
  const left = await relisten(sites, [
    ...shared.map((name) => ({ name, listen: listenAddresses(config) })),
    ...store.instances.all().map(({ name, place }) => ({
      name,
      listen: listenAddresses(config, place.port === 0 ? config.server.port : place.port),
    })),
  ]);
  return left.map(
    (name) =>
      `reeve: ${join(sites.available, name)}.conf was edited by hand: it listens where it says, and not where the options do`,
  );
}

/** Under the units nginx may run on while everything else is prepared anew: then what listens is itself. */
async function hasItsPorts({ layout }: Config): Promise<boolean> {
  return (await runningNginx({ pidFile: layout.nginxPid })) !== undefined;
}

/** With one of them taken nginx would serve nobody. */
async function expectPreviewsPorts(config: Config, store: AgentStore): Promise<void> {
  if (await hasItsPorts(config)) return;
  for (const { name, place } of store.instances.all()) {
    if (place.port === 0) continue;
    await expectFreePort(place.port, addressesOf(config.server.listen), {
      hint: `The preview ${name} answers at this port: stop who has it.`,
    });
  }
}

/** Stands for the apps' system users, which come with the apps. */
async function anybody(system: System): Promise<Identity> {
  return system.isRoot ? ensureIdentity(system, "nobody") : ownIdentity();
}

async function findProgram(
  config: Config,
  system: System,
  { front }: Identities,
  say: Say,
): Promise<string> {
  if (!system.isRoot) return programRoot;
  if (await isReadableBy(system, join(programRoot, "dist", "main.js"), front)) return programRoot;
  const program = await copyProgram(config, system);
  say(`reeve: ${front.name} may not read ${programRoot}, so it runs from a copy in ${program}`);
  return program;
}
