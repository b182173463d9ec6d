import { isPresent } from "./files.ts";
import { CommandFailed, type Host, type Identity } from "./host.ts";

/** The system user with this name, or undefined. */
export async function findIdentity(host: Host, name: string): Promise<Identity | undefined> {
  try {
    const line = await host.run({ file: "getent", args: ["passwd", name] });
    const [, , uid, gid] = line.split(":");
    return { name, uid: Number(uid), gid: Number(gid) };
  } catch (error) {
    // getent(1) ends with 2 when the name is not there.
    if (error instanceof CommandFailed && error.exitCode === 2) return undefined;
    throw error;
  }
}

/** The system user with this name, made if it is missing: no shell, no home, no password. */
export async function ensureIdentity(host: Host, name: string): Promise<Identity> {
  const found = await findIdentity(host, name);
  if (found) return found;

  await host.run({
    file: "useradd",
    args: [
      "--system",
      "--user-group",
      "--no-create-home",
      "--home-dir",
      "/nonexistent",
      "--shell",
      "/usr/sbin/nologin",
      name,
    ],
  });
  const made = await findIdentity(host, name);
  if (!made) throw new Error(`useradd made no user ${name}`);
  return made;
}

/** The user's home and shell where somebody can log in by them, or undefined. */
export async function findLogin(
  host: Host,
  name: string,
): Promise<{ home: string; shell: string } | undefined> {
  const line = await host.run({ file: "getent", args: ["passwd", name] });
  const [, , , , , home = "", shell = ""] = line.trim().split(":");
  const isClosed = /\/(nologin|false)$/.test(shell) || !(await isPresent(home));
  return isClosed ? undefined : { home, shell };
}

/**
 * Gives the user a shell and a home that exists, where it has none: sshd runs even a forced command by
 * `shell -c`, and complains to the client about a home that is not there (session.c of OpenSSH). It opens
 * no other door: the user has no password, and `/` holds no keys.
 */
export async function allowLogin(host: Host, name: string): Promise<void> {
  if (await findLogin(host, name)) return;
  await host.run({ file: "usermod", args: ["--shell", "/bin/sh", "--home", "/", name] });
}

/** The user that this process runs as. */
export function ownIdentity(): Identity {
  return { name: "", uid: process.getuid?.() ?? -1, gid: process.getgid?.() ?? -1 };
}
