import type { Config } from "../../config/config.ts";
import { UserError } from "../../errors.ts";
import type { System, Identity } from "../../system/system.ts";
import { addSystemUser, listSystemUsers, type SystemUser } from "../../system/system-users.ts";
import type { AgentStore } from "../store/store.ts";

/** Beyond it are numbers that systemd and containers use. */
const lastNumber = 59_999;

/** What system users are made with, also before there is anything else of the agent. */
export interface UserContext {
  config: Config;
  system: System;
  store: AgentStore;
}

/** A system user that the server is to have. */
export interface WantedUser {
  /** What it is called where that name is free; else a number stands behind it. */
  stem: string;
  /** For whom it is. By this people, and reeve after a crash, know whose user it is. */
  purpose: string;
  /** Where it is on record which user it is. */
  record: {
    find: () => Identity | undefined;
    keep: (user: Identity) => void;
    retire: (user: Identity) => void;
  };
}

/** Makes the system users that are missing, each with a name and a number that nobody has and no user of ours has had. */
export async function provideUsers(context: UserContext, wanted: WantedUser[]): Promise<void> {
  const users = await listSystemUsers(context.system);
  for (const one of wanted) await provideUser(context, one, users);
}

async function provideUser(
  context: UserContext,
  wanted: WantedUser,
  users: SystemUser[],
): Promise<void> {
  const recorded = wanted.record.find();
  if (recorded && users.some((user) => isSame(user, recorded))) return;
  // The home came from another machine, or somebody removed the user by hand.
  const again = recorded && (await addAs(context, wanted, recorded));
  if (again) return;
  if (recorded) wanted.record.retire(recorded);
  wanted.record.keep(await makeUser(context, wanted, users));
}

/** One that was made before a crash is taken up; else the first name and the first number that are free. */
async function makeUser(
  context: UserContext,
  wanted: WantedUser,
  users: SystemUser[],
): Promise<Identity> {
  const last = context.store.users.lastNumber();
  const unrecorded = users.find(
    ({ comment, uid }) => comment === commentOf(context, wanted) && uid > last,
  );
  if (unrecorded) return unrecorded;

  const numbers = new Set(users.flatMap(({ uid, gid }) => [uid, gid]));
  const names = new Set(users.map(({ name }) => name));
  const { stem, purpose } = wanted;
  const first = Math.max(context.config.server.first_user_id, last + 1);
  let turn = 1;
  for (let uid = first; uid <= lastNumber; uid += 1) {
    if (numbers.has(uid)) continue;
    const nameOf = (): string => (turn === 1 ? stem : `${stem}-${turn}`);
    while (names.has(nameOf())) turn += 1;
    const made = await addAs(context, wanted, { name: nameOf(), uid, gid: uid });
    if (made) return made;
    // Somebody has the one or the other who is not listed, or came in between.
    names.add(nameOf());
  }
  throw new UserError(
    "SYSTEM_REFUSED",
    `no number is left for a system user of ${purpose}, from ${first} to ${lastNumber}`,
    { hint: "Give the server option first_user_id a lower number." },
  );
}

async function addAs(
  context: UserContext,
  wanted: WantedUser,
  { name, uid }: Identity,
): Promise<Identity | undefined> {
  return addSystemUser(context.system, { name, id: uid, comment: commentOf(context, wanted) });
}

/** Several servers on one machine may have an app of one name, and each has builds. */
function commentOf({ config }: UserContext, { purpose }: WantedUser): string {
  return `${purpose} (reeve in ${config.layout.home})`;
}

function isSame(one: Identity, other: Identity): boolean {
  return one.name === other.name && one.uid === other.uid;
}
