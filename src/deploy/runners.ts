import { runnerName } from "../app/instance.ts";
import { UserError } from "../errors.ts";
import type { Identity } from "../host/host.ts";
import {
  addSystemUser,
  listSystemUsers,
  removeSystemUser,
  type SystemUser,
} from "../host/system-users.ts";
import type { DeployContext } from "./context.ts";

/** Beyond it are numbers that systemd and containers use. */
const lastNumber = 59_999;
const kinds = [false, true];

/** Makes the system users of an app where they are missing: one for the app itself, one for its previews. */
export async function provideRunners(context: DeployContext, app: string): Promise<void> {
  const { host, turns } = context;
  if (!host.isRoot) return;
  await turns.run("system users", async () => {
    const users = await listSystemUsers(host);
    for (const ofPreviews of kinds) await provideRunner(context, { app, ofPreviews, users });
  });
}

/** After everything else of the app: what still runs as its users is ended, and they are gone. */
export async function removeRunners(context: DeployContext, app: string): Promise<void> {
  const { config, host, store, turns } = context;
  if (!host.isRoot) return;
  await turns.run("system users", async () => {
    for (const ofPreviews of kinds) {
      const runner = store.runner(app, ofPreviews);
      if (!runner) continue;
      await removeSystemUser(host, runner, config.server.python);
      store.retireRunner(runner);
    }
  });
}

interface Wanted {
  app: string;
  ofPreviews: boolean;
  /** Those that the machine has. */
  users: SystemUser[];
}

async function provideRunner(context: DeployContext, wanted: Wanted): Promise<void> {
  const { store } = context;
  const { app, ofPreviews, users } = wanted;
  const recorded = store.runner(app, ofPreviews);
  if (recorded && users.some((user) => isSame(user, recorded))) return;
  // The home came from another machine, or somebody removed the user by hand.
  const again = recorded && (await addAs(context, wanted, recorded));
  if (again) return;
  if (recorded) store.retireRunner(recorded);
  store.keepRunner(await makeRunner(context, wanted), app, ofPreviews);
}

/** One that was made before a crash is taken up; else the first name and the first number that are free. */
async function makeRunner(context: DeployContext, wanted: Wanted): Promise<Identity> {
  const { app, ofPreviews, users } = wanted;
  const last = context.store.lastRunnerNumber();
  const unrecorded = users.find(
    ({ comment, uid }) => comment === commentOf(context, wanted) && uid > last,
  );
  if (unrecorded) return unrecorded;

  const numbers = new Set(users.flatMap(({ uid, gid }) => [uid, gid]));
  const names = new Set(users.map(({ name }) => name));
  const stem = runnerName(app, ofPreviews);
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
    `no number is left for a system user of ${app}, from ${first} to ${lastNumber}`,
    { hint: "Give the server option first_user_id a lower number." },
  );
}

async function addAs(
  context: DeployContext,
  wanted: Wanted,
  { name, uid }: Identity,
): Promise<Identity | undefined> {
  return addSystemUser(context.host, { name, id: uid, comment: commentOf(context, wanted) });
}

/** By this people, and reeve after a crash, know whose user it is: several servers may have an app of one name. */
function commentOf({ config }: DeployContext, { app, ofPreviews }: Wanted): string {
  return `${ofPreviews ? "previews of " : ""}${app} (reeve in ${config.layout.home})`;
}

function isSame(one: Identity, other: Identity): boolean {
  return one.name === other.name && one.uid === other.uid;
}
