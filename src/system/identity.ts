import { UserError } from "../errors.ts";
import { isPresent } from "./files.ts";
import { CommandFailed, type System, type Identity } from "./system.ts";

/** The system user with this name, or undefined. */
export async function findIdentity(system: System, name: string): Promise<Identity | undefined> {
  try {
    const line = await system.run({ file: "getent", args: ["passwd", name] });
    const [, , uid, gid] = line.split(":");
    return { name, uid: Number(uid), gid: Number(gid) };
  } catch (error) {
    // getent(1) ends with 2 when the name is not there.
    if (error instanceof CommandFailed && error.exitCode === 2) return undefined;
    throw error;
  }
}

/** What useradd(8) is told of how one logs in as a user. */
interface Login {
  home: string;
  shell: string;
}

const noLogin: Login = { home: "/nonexistent", shell: "/usr/sbin/nologin" };

/**
 * A login for sshd: it runs even a forced command by `shell -c`, and complains to the client about a home that
 * is not there (session.c of OpenSSH). It opens no other door: the user has no password, and `/` holds no keys.
 */
export const sshLogin: Login = { home: "/", shell: "/bin/sh" };

/** The system user with this name, made if it is missing: no password, and no login unless one is named. */
export async function ensureIdentity(
  system: System,
  name: string,
  login = noLogin,
): Promise<Identity> {
  const found = await findIdentity(system, name);
  if (found) return found;

  // useradd looks for the name before it locks the file: two at once make the user twice, each with its number.
  const args = ["--close", "/etc/.pwd.lock", "useradd", ...newUser(name, { login })];
  await system.run({ file: "flock", args }).catch((error: unknown) => {
    // useradd(8): 9, the name is taken: another server made it in this moment.
    if (!(error instanceof CommandFailed) || error.exitCode !== 9) throw error;
  });
  const made = await findIdentity(system, name);
  if (!made) throw new Error(`useradd made no user ${name}`);
  return made;
}

/** Words of useradd(8): a user without a password, with a group of its name, and no login unless one is named. */
export function newUser(
  name: string,
  { login = noLogin, more = [] }: { login?: Login; more?: string[] } = {},
): string[] {
  const { home, shell } = login;
  return [
    ...["--system", "--user-group", "--no-create-home", "--home-dir", home, "--shell", shell],
    ...more,
    "--",
    name,
  ];
}

/** The user's home and shell where somebody can log in by them, or undefined. */
export async function findLogin(system: System, name: string): Promise<Login | undefined> {
  const line = await system.run({ file: "getent", args: ["passwd", name] });
  const [, , , , , home = "", shell = ""] = line.trim().split(":");
  const isClosed = /\/(nologin|false)$/.test(shell) || !(await isPresent(home));
  return isClosed ? undefined : { home, shell };
}

/**
 * Gives the user a shell and a home that exists, where it was made without. usermod(8) does so only while no
 * process is the user's: `SYSTEM_REFUSED` otherwise.
 */
export async function allowLogin(system: System, name: string): Promise<void> {
  if (await findLogin(system, name)) return;
  const { home, shell } = sshLogin;
  try {
    await system.run({ file: "usermod", args: ["--shell", shell, "--home", home, name] });
  } catch (error) {
    if (!(error instanceof CommandFailed) || error.exitCode !== 8) throw error;
    throw new UserError(
      "SYSTEM_REFUSED",
      `the user ${name} has no shell, and sshd needs one:\n${error.output}`,
      {
        cause: error,
        hint: `End what runs as ${name}, then start reeve again; it gives the user a shell.`,
      },
    );
  }
}

/** The user that this process runs as. */
export function ownIdentity(): Identity {
  return { name: "", uid: process.getuid?.() ?? -1, gid: process.getgid?.() ?? -1 };
}
