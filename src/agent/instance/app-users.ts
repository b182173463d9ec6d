import { appUserName } from "../../names/instance.ts";
import {
  dropSystemUser,
  endProcesses,
  removeSystemUser,
  sweepUser,
} from "../../system/system-users.ts";
import type { DeployContext } from "../world/context.ts";
import { provideUsers, type WantedUser } from "../users/system-users.ts";

const kinds = [false, true];

/** Makes the system users of an app where they are missing: one for the app itself, one for its previews. */
export async function provideAppUsers(context: DeployContext, app: string): Promise<void> {
  const { system, turns } = context;
  if (!system.isRoot) return;
  await turns.run("system users", () =>
    provideUsers(
      context,
      kinds.map((ofPreviews) => appUser(context, app, ofPreviews)),
    ),
  );
}

/**
 * After everything else of the app: what still runs as its users is ended, and they are gone. A number that nothing
 * has run with, or could have left a file with, may be given again.
 */
export async function removeAppUsers(
  context: DeployContext,
  app: string,
  hasRun = true,
): Promise<void> {
  const { system, store, turns } = context;
  if (!system.isRoot) return;
  await turns.run("system users", async () => {
    for (const ofPreviews of kinds) {
      const appUser = store.users.appUser(app, ofPreviews);
      if (!appUser) continue;
      if (hasRun) {
        await removeSystemUser(system, appUser);
        store.users.retireAppUser(appUser);
      } else {
        await dropSystemUser(system, appUser);
        store.users.forgetAppUser(appUser);
      }
    }
  });
}

/**
 * When an app has no preview any more, nothing is left of any: not what they left where everybody may write. A preview
 * that comes meanwhile waits for the turn (`previewsSwept`).
 */
export async function sweepPreviewsUser(context: DeployContext, app: string): Promise<void> {
  const { system, store, turns } = context;
  const user = system.isRoot ? store.users.appUser(app, true) : undefined;
  if (!user) return;
  await turns.run(`previews of ${app}`, async () => {
    if (store.previews.all().some((preview) => preview.app === app)) return;
    await endProcesses(system, user);
    await sweepUser(system, user);
  });
}

export function previewsSwept({ turns }: DeployContext, app: string): Promise<void> {
  return turns.rest(`previews of ${app}`);
}

function appUser({ store }: DeployContext, app: string, ofPreviews: boolean): WantedUser {
  return {
    stem: appUserName(app, ofPreviews),
    purpose: `${ofPreviews ? "previews of " : ""}${app}`,
    record: {
      find: () => store.users.appUser(app, ofPreviews),
      keep: (user) => store.users.keepAppUser(user, app, ofPreviews),
      retire: (user) => store.users.retireAppUser(user),
    },
  };
}
