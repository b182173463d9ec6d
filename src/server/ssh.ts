import { userInfo } from "node:os";
import { join } from "node:path";
import { listenAddresses, type Config } from "../config/config.ts";
import { addressesOf } from "../config/listening.ts";
import { serverOptions } from "../config/server-options.ts";
import { UserError } from "../errors.ts";
import { isPresent } from "../system/files.ts";
import type { System, Identity } from "../system/system.ts";
import { allowLogin, findLogin } from "../system/identity.ts";
import type { Service } from "../system/supervisor.ts";
import { expectFreePort, isListening } from "./checks.ts";
import { render } from "./furnish.ts";

const sshd = "/usr/sbin/sshd";

/** Where git and the commands are answered over SSH, and as whom one logs in. */
export interface SshAccess {
  port: number;
  user: string;
  service: Service;
}

/**
 * What sshd needs, or undefined where there is to be none. The default of `ssh_port` is an offer, taken up
 * where it can be; any other number is a demand, and what stands in its way an error.
 */
export async function prepareSsh(
  config: Config,
  system: System,
  front: Identity,
  say: (line: string) => void,
): Promise<SshAccess | undefined> {
  const port = config.server.ssh_port;
  if (port === 0) return undefined;
  const isDemand = port !== serverOptions.ssh_port.default;
  if (!isDemand && !(await isPresent(sshd))) return undefined;
  try {
    return await furnish(config, system, front);
  } catch (error) {
    if (isDemand || !(error instanceof UserError)) throw error;
    say(`reeve: no SSH: ${error.message}`);
    return undefined;
  }
}

async function furnish(config: Config, system: System, front: Identity): Promise<SshAccess> {
  const { layout, server } = config;
  if (!(await isPresent(sshd))) {
    throw new UserError(
      "PACKAGES_MISSING",
      "SSH needs a Debian package that is missing; install it with\nsudo apt-get install --no-install-recommends openssh-server",
    );
  }
  await expectFreePort(server.ssh_port, addressesOf(server.listen), {
    hint: "Choose another one: ssh_port in etc/server.toml, or REEVE_SSH_PORT; 0 for none",
  });
  const user = system.isRoot ? front.name : userInfo().username;
  await expectLogin(system, user);

  if (!(await isPresent(layout.sshHostKey))) {
    const args = ["-q", "-t", "ed25519", "-N", "", "-C", "reeve", "-f", layout.sshHostKey];
    await system.run({ file: "ssh-keygen", args, as: system.isRoot ? front : undefined });
  }
  await render("sshd.conf", layout.sshConfiguration, {
    listen: listenAddresses(config, server.ssh_port),
    hostKey: layout.sshHostKey,
    authorizedKeys: layout.authorizedKeys,
    user,
  });
  const as = system.isRoot ? front : undefined;
  return { port: server.ssh_port, user, service: await sshService(config, system, as) };
}

/** It runs as the front's user, like the front: who gets through it has no more than that user's rights. */
async function sshService(
  { layout, server }: Config,
  system: System,
  as: Identity | undefined,
): Promise<Service> {
  const args = ["-f", layout.sshConfiguration];
  // From 9.8 on OpenSSH shuts out an address from which wrong keys came, and with it whoever else is behind it.
  // Older ones do not know the word. A key cannot be guessed, and MaxStartups bounds the rest.
  const noPenalties = ["-o", "PerSourcePenalties=no"];
  const knowsThem = await system
    .run({ file: sshd, args: ["-t", ...args, ...noPenalties], as })
    .then(
      () => true,
      () => false,
    );
  return {
    name: "sshd",
    file: sshd,
    args: ["-D", "-e", ...args, ...(knowsThem ? noPenalties : [])],
    env: { PATH: "/usr/bin:/bin", LANG: "C.UTF-8" },
    log: join(layout.log, "sshd.log"),
    as,
    ready: () => isListening(server.ssh_port, addressesOf(server.listen)[0]),
  };
}

async function expectLogin(system: System, user: string): Promise<void> {
  if (system.isRoot) await allowLogin(system, user);
  else if (!(await findLogin(system, user)))
    throw new UserError("PACKAGES_MISSING", `the user ${user} has no shell, and sshd needs one`, {
      hint: "Run reeve as a user with a shell, or with root.",
    });
}
