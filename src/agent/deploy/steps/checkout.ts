import { mebibyte } from "../../../config/server-options.ts";
import { countChanges, makeRelease, takeBackRelease } from "../../release/release.ts";
import { expectFits, type Size } from "../../release/size.ts";
import { expectWhole } from "../../release/whole.ts";
import type { Deploy } from "../../store/deploys.ts";
import type { AgentStore } from "../../store/store.ts";
import { releaseContext, type DeployContext } from "../../world/context.ts";
import { plural, type Step } from "../step.ts";
import { provideSubmodules, tidySubmodules } from "../../instance/submodules.ts";

/** The commit's tree on disk, sealed. */
export const checkoutStep: Step = {
  name: "checkout",
  run: async (preparation) => {
    const { context, instance, options, deploy, signal } = preparation;
    const releases = { ...releaseContext(context, instance), signal };
    const most = mostOf(context);
    if (options.submodules) await provideSubmodules(preparation, most);
    const release = await makeRelease(releases, deploy.newCommit, async ({ git, tree }, ended) => {
      const looking = { ...releases, git, signal: ended };
      const suspects = await expectFits({ ...looking, most }, tree);
      // The wait for the first move of its vassal passes beside the checkout; later ones only keep it from coming back.
      context.groups.announce();
      await expectWhole(looking, suspects);
    });
    if (!release.made) return "on disk already";
    const changed = await countChanges(releases, release, deploy.oldCommit);
    return changed === undefined
      ? "checked out"
      : `checked out, ${plural(changed, "file")} changed`;
  },
  undo: async (context, deploy) => {
    if (isWantedByOthers(context.store, deploy)) return;
    const of = { name: deploy.instance, app: deploy.app };
    await takeBackRelease(releaseContext(context, of), deploy.newCommit);
    await tidySubmodules(context, deploy.app, deploy);
  },
};

function mostOf({ config: { server } }: DeployContext): Size {
  return { files: server.release_files, bytes: server.release_size * mebibyte };
}

function isWantedByOthers(store: AgentStore, deploy: Deploy): boolean {
  const { id, instance, newCommit } = deploy;
  const released = store.deploys.releaseOf(instance, newCommit);
  return [...(released ? [released] : []), ...store.deploys.unfinished()].some(
    (other) => other.id !== id && other.instance === instance && other.newCommit === newCommit,
  );
}
