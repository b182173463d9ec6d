import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { hasCode, UserError } from "../errors.ts";
import { milliseconds, sleep, waitFor } from "./clock.ts";
import { removeFile } from "./files.ts";
import { findIdentity, newUser } from "./identity.ts";
import { CommandFailed, type Command, type System, type Identity } from "./system.ts";
import { hasProcesses } from "./processes.ts";
import { walk, type Errand } from "./walker.ts";

/** One line of passwd(5). */
export interface SystemUser extends Identity {
  /** What stands in its fifth field, for people. */
  comment: string;
}

/** shadow's tools wait for each other's locks, and for a directory service where there is one. */
const deadline = 60_000;
const finder = fileURLToPath(new URL("open-folders.py", import.meta.url));
/** Milliseconds that all processes of a user have to be gone; a large one takes its time to die. */
const dying = 10_000;
/** Of the removal of a user, before it is given up. */
const fewestTries = 4;

/** The machine's users, as far as it lists them. */
export async function listSystemUsers(system: System): Promise<SystemUser[]> {
  const lines = (await system.run({ file: "getent", args: ["passwd"], deadline })).split("\n");
  return lines.filter(Boolean).map((line) => {
    const [name = "", , uid, gid, comment = ""] = line.split(":");
    return { name, uid: Number(uid), gid: Number(gid), comment };
  });
}

/** Makes a user that nobody can log in as, with a group of the same name and number; undefined where one of them is taken. */
export async function addSystemUser(
  system: System,
  user: { name: string; id: number; comment: string },
): Promise<Identity | undefined> {
  try {
    await system.run(addUser(user));
  } catch (error) {
    // useradd(8): 4, the number is taken, by a user or by a group; 9, the name is.
    if (error instanceof CommandFailed && (error.exitCode === 4 || error.exitCode === 9))
      return undefined;
    throw refused(error, `no system user ${user.name} could be made`);
  }
  return findIdentity(system, user.name);
}

/** The bounds are the number itself: as a system user it would get one below 1000. */
export function addUser({ name, id, comment }: Parameters<typeof addSystemUser>[1]): Command {
  const bounds = ["SYS_UID_MIN", "SYS_UID_MAX", "SYS_GID_MIN", "SYS_GID_MAX"];
  const more = [
    ...["--comment", comment, "--uid", String(id)],
    ...bounds.flatMap((bound) => ["-K", `${bound}=${id}`]),
  ];
  return { file: "useradd", args: newUser(name, { more }), deadline };
}

/** Removes a user that nothing has ever run as. */
export async function dropSystemUser(system: System, user: Identity): Promise<void> {
  expectRemovable(system, user);
  await deleteUser(system, user.name);
}

/** Removes a user with its processes, and with the files that they may have left where everybody can write. */
export async function removeSystemUser(system: System, user: Identity): Promise<void> {
  expectRemovable(system, user);
  const remove = async (): Promise<boolean> => {
    // Again each time: a vassal that the Emperor was just starting becomes the user's only now.
    if (!(await endAll(system, user))) return false;
    await sweepUser(system, user);
    return deleteUser(system, user.name);
  };
  const end = milliseconds() + dying;
  for (let tries = 1; !(await remove()); tries += 1) {
    // On a large disk the looking for what it left takes long, and is no sign of a process that does not end.
    if (tries >= fewestTries && milliseconds() > end)
      throw new UserError(
        "SYSTEM_REFUSED",
        `the system user ${user.name} could not be removed: a process of it does not end`,
      );
    await sleep(50);
  }
}

function expectRemovable(system: System, user: Identity): void {
  if (!system.isRoot || user.uid < 1000)
    throw new Error(`${user.name} (${user.uid}) is not a user that may be removed`);
}

/**
 * Ends every process of a user. Resolves when there is none any more, and so nothing that holds what it had open. Killed
 * are they before anybody looks: one that forks and ends again and again is hardly ever seen in /proc (measured: 6 of 100
 * looks), and the kernel has none go on that was told to die.
 */
export async function endProcesses(system: System, user: Identity): Promise<void> {
  const end = async (): Promise<boolean> => {
    return (await endAll(system, user)) && !(await hasProcesses(user.uid));
  };
  const isGone = await waitFor(end, { within: dying, every: 20 });
  if (!isGone)
    throw new UserError("SYSTEM_REFUSED", `a process of the system user ${user.name} does not end`);
}

/** Removes what the user left where everybody may write, in memory too. No process of it may be left. */
export async function sweepUser(system: System, user: Identity): Promise<void> {
  const found = await system.run({
    file: "/usr/bin/python3",
    args: ["-I", "-S", finder, String(user.uid)],
    deadline,
  });
  const folders = found.split("\0").filter(Boolean);
  // As root: a folder may be closed to its owner, and what is in it is its owner's all the same.
  const sweeps = folders.map((path): Errand => ({ do: "sweep", path, of: user.uid }));
  if (sweeps.length > 0) await system.run({ ...walk(sweeps), deadline });
  await forgetLingering(user);
}

/** By this file, which is root's, systemd would start the user's programs without an app, for its next namesake too. */
async function forgetLingering({ name }: Identity): Promise<void> {
  try {
    await removeFile(join("/var/lib/systemd/linger", name));
  } catch (error) {
    // Nothing but reeve's folders and a few others can be written by an agent that its unit confines.
    if (!hasCode(error, "EROFS")) throw error;
  }
}

/** Resolves to false while a process of the user's, which was killed, is still there. */
async function deleteUser(system: System, name: string): Promise<boolean> {
  try {
    await system.run({ file: "userdel", args: ["--", name], deadline });
    return true;
  } catch (error) {
    // userdel(8): 6, there is none; 8, it is in use.
    const exitCode = error instanceof CommandFailed ? error.exitCode : undefined;
    if (exitCode === 6) return true;
    if (exitCode === 8) return false;
    throw refused(error, `the system user ${name} could not be removed`);
  }
}

const endingProgram = fileURLToPath(new URL("end-processes.py", import.meta.url));

/** Resolves to whether it could: whoever ends another user's processes in this moment may end this one as well. */
async function endAll(system: System, { uid }: Identity): Promise<boolean> {
  const args = ["-I", "-S", endingProgram, String(uid)];
  try {
    await system.run({ file: "/usr/bin/python3", args, deadline });
    return true;
  } catch (error) {
    if (!(error instanceof CommandFailed) || error.exitCode !== undefined || error.timedOut)
      throw error;
    return false;
  }
}

function refused(error: unknown, message: string): unknown {
  if (!(error instanceof CommandFailed)) return error;
  return new UserError("SYSTEM_REFUSED", `${message}:\n${error.output}`, { cause: error });
}
