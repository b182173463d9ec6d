import { previewName } from "../../names/names.ts";
import type { AppOptions } from "../../config/app-options.ts";
import { UserError } from "../../errors.ts";
import { isPresent } from "../../system/files.ts";
import { currentCommit, deleteRef, touchUnclaimed } from "../../system/git.ts";
import { CommandFailed } from "../../system/system.ts";
import { isExpired, type PreviewUse } from "../preview/limits.ts";
import { isPreviewed } from "../../config/preview-pattern.ts";
import type { Holder } from "../../names/deploy.ts";
import type { Preview } from "../store/previews.ts";
import { gitOf, optionsOf, pathsOf, type DeployContext } from "../world/context.ts";
import { judgeHolder } from "../deploy/judge.ts";
import { tidyEnvironments } from "../converge/prune.ts";
import { ownHolder } from "../world/locks.ts";
import { previewDays, previewUses, useOf } from "../instance/previews.ts";
import { confirmRemoval, startBranchRemoval, startRemoval } from "../deploy/remove.ts";

interface Removal {
  account: string;
  why: string;
  keepsBranch: boolean;
}

/** Milliseconds for which what a refused push had built waits for the next push of it. */
const day = 24 * 60 * 60 * 1000;

/** Removes every preview whose time is over, or whose branch is none any more, and what no preview needs. */
export async function sweepPreviews(context: DeployContext): Promise<void> {
  for (const app of context.store.apps.names()) {
    await sweepApp(context, app).catch((error: unknown) =>
      context.log.error({ err: error, app }, "could not sweep an app's previews"),
    );
  }
}

async function sweepApp(context: DeployContext, app: string): Promise<void> {
  const options = await optionsOf(context, app);
  for (const use of await previewUses(context, app)) {
    if (!reasonToGo(context, options, use)) continue;
    await sweepPreview(context, app, options, use).catch((error: unknown) =>
      context.log.error({ err: error, preview: use.instance }, "could not remove a preview"),
    );
  }
  // A preview that never was on the air leaves nobody behind who would tidy up after it.
  const any = { name: previewName("", app), app };
  if (await isPresent(pathsOf(context, any.name).environments))
    await tidyEnvironments(context, any, Date.now() - day);
}

async function sweepPreview(
  context: DeployContext,
  app: string,
  options: AppOptions,
  { branch, instance }: PreviewUse,
): Promise<void> {
  const holder = await ownHolder();
  // Somebody is pushing it just now; next time is early enough.
  if (!context.locks.takeFree(instance, holder)) return;
  await judged(context, holder, async () => {
    // Since the list was made it may have been pushed, visited, pinned or removed.
    const preview = context.store.previews.of(app, branch);
    const removal = preview && reasonToGo(context, options, await useOf(context, preview));
    if (!removal) return;
    await removeHeld(context, preview, { ...removal, holder });
    context.log.info({ preview: instance, why: removal.why }, "removed a preview");
  });
}

function reasonToGo(
  context: DeployContext,
  options: AppOptions,
  use: PreviewUse,
): Removal | undefined {
  const days = previewDays(context, options);
  const isMeant =
    isPreviewed(options.previews, use.branch) && use.branch !== options.production_branch;
  const isOver = isExpired(use, days, Date.now());
  if (isMeant && !isOver) return undefined;
  const why = isOver
    ? `${days} days without a push or a visit`
    : "the app has no preview of this branch any more";
  return { account: "reeve", why, keepsBranch: !isMeant };
}

/**
 * Removes a preview without a push, and its branch on the server with it: a branch that is there says what is
 * on the air, and the next push of it puts it there again.
 */
export async function removePreview(
  context: DeployContext,
  preview: Preview,
  { holder, ...removal }: Removal & { holder: Holder },
): Promise<string[]> {
  return judged(context, holder, async () => {
    await context.locks.take(preview.instance, holder, () => undefined);
    return removeHeld(context, preview, { ...removal, holder });
  });
}

/** A removal that is broken off is judged as a push is whose process is gone: by the branch, and at once. */
async function judged<T>(
  context: DeployContext,
  holder: Holder,
  work: () => Promise<T>,
): Promise<T> {
  try {
    return await work();
  } finally {
    await judgeHolder(context, holder);
  }
}

async function removeHeld(
  context: DeployContext,
  preview: Preview,
  { account, why, keepsBranch, holder }: Removal & { holder: Holder },
): Promise<string[]> {
  const { store } = context;
  const row = store.instances.get(preview.instance);
  if (!row) return [];
  const ref = `refs/heads/${preview.branch}`;
  const oldCommit = await currentCommit(context.system, gitOf(context, preview.app), ref);
  const removing = { ref, oldCommit, account, holder, subject: why };
  const deploy = keepsBranch
    ? startRemoval(context, row, removing)
    : await startBranchRemoval(context, row, removing);
  store.deploys.change(deploy.id, { state: "switched" });
  if (!keepsBranch) await removeBranch(context, preview, { ref, oldCommit });
  return confirmRemoval(context, deploy);
}

async function removeBranch(
  context: DeployContext,
  { app, instance }: Preview,
  { ref, oldCommit }: { ref: string; oldCommit: string },
): Promise<void> {
  try {
    await context.system.run(touchUnclaimed(gitOf(context, app)));
    await context.system.run(deleteRef(gitOf(context, app), ref, oldCommit));
  } catch (error) {
    if (!(error instanceof CommandFailed)) throw error;
    throw new UserError("REF_MOVED", `git did not remove ${ref}:\n${error.output.trim()}`, {
      hint: `${instance} is on the air as before. Try again; a lock that a killed git left goes with: reeve reconcile`,
      cause: error,
    });
  }
}
