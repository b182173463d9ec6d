import { stat } from "node:fs/promises";
import { branchOf, quotedBranch } from "../app/names.ts";
import type { AppOptions } from "../config/app-options.ts";
import { UserError } from "../errors.ts";
import { deleteRef } from "../host/git.ts";
import { ownHolder } from "./locks.ts";
import { isExpired, leastUsed, type PreviewUse } from "../preview/limits.ts";
import { isPreviewed } from "../preview/pattern.ts";
import type { Preview } from "../store/agent-store.ts";
import { gitOf, optionsOf, pathsOf, type DeployContext } from "./context.ts";
import { currentCommit } from "./refs.ts";
import { confirmRemoval, startRemoval } from "./remove.ts";

/** When each preview of an app was last pushed or visited; its log is written with each request. */
export async function previewUses(context: DeployContext, app: string): Promise<PreviewUse[]> {
  const previews = context.store.previews().filter((preview) => preview.app === app);
  return Promise.all(previews.map((preview) => useOf(context, preview)));
}

async function useOf(context: DeployContext, preview: Preview): Promise<PreviewUse> {
  const { store } = context;
  const live = store.instance(preview.instance)?.live;
  const pushed = live ? (store.deploy(live)?.liveAt ?? "") : "";
  const visited = await stat(pathsOf(context, preview.instance).log).catch(() => undefined);
  // One that is only being made was used just now.
  const usedAt = Math.max(pushed ? Date.parse(pushed) : Date.now(), visited?.mtimeMs ?? 0);
  return { ...preview, usedAt };
}

/** As many days as the app's options say, and no more than the server's. */
export function previewDays({ config }: DeployContext, options: AppOptions): number {
  return Math.min(options.preview_days, config.server.preview_days);
}

/** There is room for one preview more: `PREVIEW_LIMIT`, with the one to give up. */
export async function expectRoom(
  context: DeployContext,
  { instance, app, branch }: Preview,
  options: AppOptions,
): Promise<void> {
  if (context.store.instance(instance)) return;
  const all = context.store.previews().filter((preview) => preview.instance !== instance);
  const own = all.filter((preview) => preview.app === app);
  const { preview_limit: most } = context.config.server;
  const problem =
    own.length >= options.preview_limit
      ? `${app} has ${own.length} previews, and ${options.preview_limit} are the most`
      : all.length >= most
        ? `this server has ${all.length} previews, and ${most} are the most`
        : undefined;
  if (problem === undefined) return;
  const uses = (await previewUses(context, app)).filter((use) => use.branch !== branch);
  const least = leastUsed(uses);
  throw new UserError("PREVIEW_LIMIT", problem, {
    hint: least
      ? `Remove one and push again. ${least.branch} was longest without a push or a visit: git push deploy :${quotedBranch(least.branch)}`
      : `None of ${app}'s can be given up, because they are pinned: see reeve previews ${app}, or ask the administrator for more.`,
  });
}

/** Removes every preview whose time is over, or whose branch is none any more. */
export async function sweepPreviews(context: DeployContext): Promise<void> {
  for (const app of context.store.apps()) {
    await sweepApp(context, app).catch((error: unknown) =>
      context.log.error({ err: error, app }, "could not sweep an app's previews"),
    );
  }
}

async function sweepApp(context: DeployContext, app: string): Promise<void> {
  const { store, locks, log } = context;
  const options = await optionsOf(context, app);
  const days = previewDays(context, options);
  for (const use of await previewUses(context, app)) {
    const isMeant =
      isPreviewed(options.previews, use.branch) && use.branch !== options.production_branch;
    const why = isExpired(use, days, Date.now())
      ? `${days} days without a push or a visit`
      : isMeant
        ? undefined
        : "the app has no preview of this branch any more";
    // Somebody is pushing it just now; next time is early enough.
    if (why === undefined || locks.isHeld(use.instance)) continue;
    const preview = store.preview(app, use.branch);
    if (preview)
      await removePreview(context, preview, { account: "reeve", why, keepsBranch: !isMeant });
    log.info({ preview: use.instance, why }, "removed a preview");
  }
}

/**
 * Removes a preview without a push, and its branch on the server with it: a branch that is there says what is
 * on the air, and the next push of it puts it there again.
 */
export async function removePreview(
  context: DeployContext,
  preview: Preview,
  { account, why, keepsBranch }: { account: string; why: string; keepsBranch: boolean },
): Promise<string[]> {
  const { store, locks, host } = context;
  const holder = await ownHolder();
  try {
    await locks.take(preview.instance, holder, () => undefined);
    const row = store.instance(preview.instance);
    if (!row) return [];
    const ref = `refs/heads/${preview.branch}`;
    const oldCommit = await currentCommit(context, preview.app, ref);
    const deploy = startRemoval(context, row, { ref, oldCommit, account, holder, subject: why });
    store.changeDeploy(deploy.id, { state: "switched" });
    if (!keepsBranch) await host.run(deleteRef(gitOf(context, preview.app), ref, oldCommit));
    return await confirmRemoval(context, deploy);
  } finally {
    locks.release(holder);
  }
}

/** The preview that somebody means, by its branch or by its name: `PREVIEW_UNKNOWN`. */
export function expectPreview({ store }: DeployContext, app: string, named: string): Preview {
  const branch = named.startsWith("refs/heads/") ? branchOf(named) : named;
  const found =
    store.preview(app, branch) ??
    store.previews().find((preview) => preview.app === app && preview.instance === named);
  if (found) return found;
  throw new UserError("PREVIEW_UNKNOWN", `${app} has no preview of ${JSON.stringify(named)}`);
}
