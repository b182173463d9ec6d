import { stat } from "node:fs/promises";
import { branchOf, quotedBranch } from "../../names/names.ts";
import type { AppOptions } from "../../config/app-options.ts";
import { UserError } from "../../errors.ts";
import { leastUsed, type PreviewUse } from "../preview/limits.ts";
import type { Preview } from "../store/previews.ts";
import { pathsOf, type DeployContext } from "../world/context.ts";

/** When each preview of an app was last pushed or visited; its log is written with each request. */
export async function previewUses(context: DeployContext, app: string): Promise<PreviewUse[]> {
  const previews = context.store.previews.all().filter((preview) => preview.app === app);
  return Promise.all(previews.map((preview) => useOf(context, preview)));
}

export async function useOf(context: DeployContext, preview: Preview): Promise<PreviewUse> {
  const { store } = context;
  const live = store.instances.get(preview.instance)?.live;
  const pushed = live ? (store.deploys.get(live)?.liveAt ?? "") : "";
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
  if (context.store.instances.get(instance)) return;
  const all = context.store.previews.all().filter((preview) => preview.instance !== instance);
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

/** The preview that somebody means, by its branch or by its name: `PREVIEW_UNKNOWN`. */
export function expectPreview({ store }: DeployContext, app: string, named: string): Preview {
  const branch = named.startsWith("refs/heads/") ? branchOf(named) : named;
  const found =
    store.previews.of(app, branch) ??
    store.previews.all().find((preview) => preview.app === app && preview.instance === named);
  if (found) return found;
  throw new UserError("PREVIEW_UNKNOWN", `${app} has no preview of ${JSON.stringify(named)}`);
}
