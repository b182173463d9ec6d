import { mkdir } from "node:fs/promises";
import { createConnection, createServer } from "node:net";
import { dirname, join } from "node:path";
import type { Config } from "../config/config.ts";
import { UserError } from "../errors.ts";
import { isPresent, readIfPresent } from "../system/files.ts";
import type { System, Identity } from "../system/system.ts";
import { whoListens } from "../system/ports.ts";
import { findProcess, isAlive } from "../system/processes.ts";

const needed = [
  { package: "git", files: ["/usr/bin/git"] },
  { package: "perl-base", files: ["/usr/bin/perl"] },
  { package: "nginx", files: ["/usr/sbin/nginx"] },
  { package: "uwsgi-core", files: ["/usr/bin/uwsgi-core"] },
  { package: "uwsgi-plugin-python3", files: ["/usr/lib/uwsgi/plugins/python3_plugin.so"] },
  { package: "python3-venv", files: ["/usr/bin/python3"] },
];

/** What Debian has to bring; scripts/start.sh installs it where it may. */
export async function expectPackages(): Promise<void> {
  const missing: string[] = [];
  for (const { package: name, files } of needed) {
    for (const file of files) if (!(await isPresent(file))) missing.push(name);
  }
  if (missing.length === 0) return;
  throw new UserError(
    "PACKAGES_MISSING",
    `these Debian packages are missing; install them with\nsudo apt-get install --no-install-recommends ${missing.join(" ")}`,
  );
}

/** At each of these addresses the port can be had: `PORT_TAKEN`, which says who has it. */
export async function expectFreePort(
  port: number,
  addresses: string[],
  options: { hint?: string } = {},
): Promise<void> {
  const problems: string[] = [];
  for (const address of addresses) {
    const refusal = await refusalOf(port, address);
    if (refusal?.code === "EACCES") problems.push(`port ${port} on ${address} needs root`);
    else if (refusal?.code === "EADDRINUSE")
      problems.push(`port ${port} on ${address} is taken by ${await whoListens(port, address)}`);
    else if (refusal) {
      throw new UserError("CONFIG_INVALID", `listen: ${address} is no address of this machine`, {
        hint: "Name one that `ip -brief address` shows, or all: listen in etc/server.toml.",
        cause: refusal,
      });
    }
  }
  if (problems.length > 0) throw new UserError("PORT_TAKEN", problems.join("\n"), options);
}

/** What the kernel says to whoever wants to listen there, or undefined. */
function refusalOf(port: number, host: string): Promise<NodeJS.ErrnoException | undefined> {
  return new Promise((resolve) => {
    const probe = createServer();
    probe.once("error", resolve);
    // As nginx and sshd bind them: an IPv6 address is none of IPv4 as well.
    probe.listen({ port, host, ipv6Only: true }, () => probe.close(() => resolve(undefined)));
  });
}

/** Whether somebody answers at a unix socket, or at a port of an address. */
export function isListening(where: string | number, address = "127.0.0.1"): Promise<boolean> {
  return new Promise((resolve) => {
    const connection =
      typeof where === "string" ? createConnection(where) : createConnection(where, address);
    connection.once("connect", () => {
      connection.destroy();
      resolve(true);
    });
    connection.once("error", () => resolve(false));
  });
}

/** One server for a folder: the file names the process that runs there. */
export async function expectOnlyServer(config: Config): Promise<string> {
  const path = join(config.layout.run, "reeve.pid");
  const [pid = 0, startTime = 0] = ((await readIfPresent(path)) ?? "")
    .trim()
    .split(" ")
    .map(Number);
  if (pid > 0 && (await isAlive({ pid, startTime }))) {
    throw new UserError(
      "SERVER_RUNNING",
      `reeve runs already in ${config.layout.home} (process ${pid})`,
    );
  }
  return path;
}

export async function describeSelf(): Promise<string> {
  const own = await findProcess(process.pid);
  return `${process.pid} ${own?.startTime ?? 0}\n`;
}

/** With root, others than root have to get at the folder: every folder above it must let them pass. */
export async function expectReachable(
  system: System,
  home: string,
  users: Identity[],
): Promise<void> {
  await mkdir(home, { recursive: true, mode: 0o755 });
  for (const as of users) {
    const closed = await firstClosed(system, home, as);
    if (closed === undefined) continue;
    throw new UserError(
      "FOLDER_CLOSED",
      `the user ${as.name} may not enter ${closed}, and reeve's folder is ${home}`,
    );
  }
}

export async function isReadableBy(system: System, path: string, as: Identity): Promise<boolean> {
  return system.run({ file: "test", args: ["-r", path], as }).then(
    () => true,
    () => false,
  );
}

async function firstClosed(
  system: System,
  folder: string,
  as: Identity,
): Promise<string | undefined> {
  const open = await system.run({ file: "test", args: ["-x", folder], as }).then(
    () => true,
    () => false,
  );
  if (open) return undefined;
  const parent = dirname(folder);
  return parent === folder ? folder : ((await firstClosed(system, parent, as)) ?? folder);
}

const protections = ["protected_hardlinks", "protected_symlinks"];

/**
 * What the kernel may keep users from: hard links to others' files, and links in /tmp that others follow (proc(5)).
 * reeve does without; other programs of the machine do not. Resolves to one line, or to none.
 */
export async function sayUnprotected(switches = "/proc/sys/fs"): Promise<string[]> {
  const off: string[] = [];
  for (const name of protections)
    if ((await readIfPresent(join(switches, name)))?.trim() !== "1") off.push(`fs.${name}`);
  if (off.length === 0) return [];
  const settings = off.map((name) => `${name}=1`).join(" ");
  return [
    `reeve: the kernel does not protect this machine's links; Debian does: sysctl -w ${settings}`,
  ];
}
