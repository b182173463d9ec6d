import { runnerName } from "../app/instance.ts";
import { dropSystemUser, endProcesses, removeSystemUser, sweepUser } from "../host/system-users.ts";
import type { DeployContext } from "./context.ts";
import { provideUsers, type WantedUser } from "./system-users.ts";

const kinds = [false, true];

/** Makes the system users of an app where they are missing: one for the app itself, one for its previews. */
export async function provideRunners(context: DeployContext, app: string): Promise<void> {
  const { host, turns } = context;
  if (!host.isRoot) return;
  await turns.run("system users", () =>
    provideUsers(
      context,
      kinds.map((ofPreviews) => runner(context, app, ofPreviews)),
    ),
  );
}

/**
 * After everything else of the app: what still runs as its users is ended, and they are gone. A number that nothing
 * has run with, or could have left a file with, may be given again.
 */
export async function removeRunners(
  context: DeployContext,
  app: string,
  hasRun = true,
): Promise<void> {
  const { host, store, turns } = context;
  if (!host.isRoot) return;
  await turns.run("system users", async () => {
    for (const ofPreviews of kinds) {
      const runner = store.users.runner(app, ofPreviews);
      if (!runner) continue;
      if (hasRun) {
        await removeSystemUser(host, runner);
        store.users.retireRunner(runner);
      } else {
        await dropSystemUser(host, runner);
        store.users.forgetRunner(runner);
      }
    }
  });
}

/**
 * When an app has no preview any more, nothing is left of any: not what they left where everybody may write. A preview
 * that comes meanwhile waits for the turn (`previewsSwept`).
 */
export async function sweepPreviewsUser(context: DeployContext, app: string): Promise<void> {
  const { host, store, turns } = context;
  const user = host.isRoot ? store.users.runner(app, true) : undefined;
  if (!user) return;
  await turns.run(`previews of ${app}`, async () => {
    if (store.previews.all().some((preview) => preview.app === app)) return;
    await endProcesses(host, user);
    await sweepUser(host, user);
  });
}

export function previewsSwept({ turns }: DeployContext, app: string): Promise<void> {
  return turns.rest(`previews of ${app}`);
}

function runner({ store }: DeployContext, app: string, ofPreviews: boolean): WantedUser {
  return {
    stem: runnerName(app, ofPreviews),
    purpose: `${ofPreviews ? "previews of " : ""}${app}`,
    record: {
      find: () => store.users.runner(app, ofPreviews),
      keep: (user) => store.users.keepRunner(user, app, ofPreviews),
      retire: (user) => store.users.retireRunner(user),
    },
  };
}
