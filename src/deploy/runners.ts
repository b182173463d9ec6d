import { runnerName } from "../app/instance.ts";
import { removeSystemUser } from "../host/system-users.ts";
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
  const { config, host, store, turns } = context;
  if (!host.isRoot) return;
  await turns.run("system users", async () => {
    for (const ofPreviews of kinds) {
      const runner = store.runner(app, ofPreviews);
      if (!runner) continue;
      await removeSystemUser(host, runner, config.server.python);
      if (hasRun) store.retireRunner(runner);
      else store.forgetRunner(runner);
    }
  });
}

function runner({ store }: DeployContext, app: string, ofPreviews: boolean): WantedUser {
  return {
    stem: runnerName(app, ofPreviews),
    purpose: `${ofPreviews ? "previews of " : ""}${app}`,
    record: {
      find: () => store.runner(app, ofPreviews),
      keep: (user) => store.keepRunner(user, app, ofPreviews),
      retire: (user) => store.retireRunner(user),
    },
  };
}
