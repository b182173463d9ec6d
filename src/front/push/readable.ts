import { writeFile } from "node:fs/promises";
import { UserError } from "../../errors.ts";
import { gitCommand, quarantinePath, unclaimedPath, type GitContext } from "../../system/git.ts";
import type { System } from "../../system/system.ts";
import { isBroken, readBrought } from "./brought.ts";

interface Push {
  system: System;
  git: GitContext;
  quarantine: string;
  /** Who pushes, and the words by which git lists what this account may read (git-rev-list(1)). */
  account: string;
  readable: string[];
}

/** Objects that a push names and has not sent, as a client does whose history has what the server has. */
const mostNamed = 100_000;

/**
 * Refuses a push that leads to what it has not sent and its account may not read: it would come back on the air, and
 * be fetched, for being named. git itself only asks whether all of it is there. Nothing is asked of git where all
 * that is new was sent, which is nearly always so.
 */
export async function expectReadable({
  system,
  git,
  quarantine,
  account,
  readable,
}: Push): Promise<void> {
  const folder = quarantinePath(git.repository, quarantine);
  if (await isBroken(folder))
    throw new UserError("OBJECT_REFUSED", "git misses something that this push leads to");
  const { named, bases } = await readBrought(folder, mostNamed);
  const asked = new Set([...named, ...bases]);
  if (asked.size === 0) return;
  const [hidden] = named.size > mostNamed ? asked : await unread(system, git, readable, asked);
  if (hidden === undefined) return;
  // What was sent and is here already is not told from what was only named, the next time it is.
  await noteUnclaimed(git.repository);
  throw new UserError(
    "OBJECT_REFUSED",
    `this push leads to the object ${hidden}, which it has not brought, and which belongs to nothing here that ${account} may read`,
    { hint: "Push again: what the server has by then is asked for anew." },
  );
}

/** There may be objects from now on that belong to no ref. */
export async function noteUnclaimed(repository: string): Promise<void> {
  await writeFile(unclaimedPath(repository), "", { mode: 0o600 });
}

/** Those of these objects that belong to nothing that may be read. The newest are looked at first, where they mostly are. */
async function unread(
  system: System,
  git: GitContext,
  readable: string[],
  asked: ReadonlySet<string>,
): Promise<Set<string>> {
  const left = new Set(asked);
  const found = new AbortController();
  const onLine = (line: string): void => {
    left.delete(line);
    if (left.size === 0) found.abort();
  };
  const words = ["--objects", "--no-object-names", "--in-commit-order", ...readable];
  const listing = gitCommand(git, ["rev-list", ...words]);
  await system.run(listing, { onLine, signal: found.signal }).catch((error: unknown) => {
    if (!found.signal.aborted) throw error;
  });
  return left;
}
