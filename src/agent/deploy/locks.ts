import type { AppOptions } from "../../config/app-options.ts";
import { isPreviewed } from "../../config/preview-pattern.ts";
import { UserError } from "../../errors.ts";
import type { Holder } from "../../names/deploy.ts";
import type { Instance } from "../../names/instance.ts";
import { branchOf, isPreviewName, shortCommit } from "../../names/names.ts";
import type { AgentRequest } from "../../protocol/agent-verbs.ts";
import { currentCommit } from "../../system/git.ts";
import { previewsSwept } from "../instance/app-users.ts";
import { expectRoom } from "../instance/previews.ts";
import { gitOf, instanceOf, type DeployContext } from "../world/context.ts";
import { expectUse } from "./branch-use.ts";

/** Who asks for the lock of an instance, and for what. */
type Locking = Pick<AgentRequest<"start">, "app" | "ref" | "holder" | "preview">;

/** Whose turn it is decides what a preview is called: it may have come or gone while this push waited. */
export async function lockInstance(
  context: DeployContext,
  { request, options, say }: { request: Locking; options: AppOptions; say: (line: string) => void },
): Promise<Instance> {
  const find = (): Instance => {
    expectStays(context, request.app);
    return instanceOf(context, request.app, request.ref, options);
  };
  const branch = branchOf(request.ref);
  const isPreview = branch !== options.production_branch;
  if (isPreview && !isPreviewed(options.previews, branch)) throw notOnTheAir(request);
  await expectUse(context, { ...request, isPreview: request.preview !== undefined });
  for (;;) {
    const instance = find();
    try {
      const preview = context.store.previews.of(request.app, branchOf(request.ref));
      if (preview) await expectRoom(context, preview, options);
      await lockFor(context, instance.name, { holder: request.holder, say });
    } catch (error) {
      if (!context.locks.isHeld(instance.name)) dropUnusedClaim(context, instance.name);
      throw error;
    }
    if (find().name !== instance.name) continue;
    if (isPreview) await previewsSwept(context, request.app);
    return instance;
  }
}

/** What is put on the air after an app was looked through for its end would outlive it. */
function expectStays({ store }: DeployContext, app: string): void {
  if (!store.apps.has(app) || store.apps.isDestroyed(app))
    throw new UserError("APP_UNKNOWN", `${app} is being removed, or is gone already`);
}

export function notOnTheAir({ app, ref }: Pick<Locking, "app" | "ref">): UserError {
  return new UserError(
    "BRANCH_REFUSED",
    `${branchOf(ref)} is neither the production branch of ${app} nor one of its previews`,
  );
}

/** A preview that has never been on the air leaves its name to others. */
export function dropUnusedClaim({ store }: DeployContext, instance: string): void {
  if (isPreviewName(instance) && !store.instances.get(instance)) store.previews.forget(instance);
}

/** After the wait for the lock: `REF_MOVED` where the branch is no longer what the push began with. */
export async function expectRefUnmoved(
  context: DeployContext,
  request: { app: string; ref: string; oldCommit: string },
): Promise<void> {
  const current = await currentCommit(context.system, gitOf(context, request.app), request.ref);
  if (current === request.oldCommit) return;
  throw new UserError(
    "REF_MOVED",
    `${request.ref} moved to ${shortCommit(current)} while this push waited`,
  );
}

/** Who was gone while it waited was judged when nothing of it was written down yet: nobody would judge it again. */
export function expectHeld({ locks }: DeployContext, instance: string, holder: Holder): void {
  if (!locks.isHeldBy(instance, holder))
    throw new UserError("PUSH_GONE", "the push that asked for this deploy is gone");
}

/** Waits for what is under way with an instance; whoever waits is told for whom. */
export function lockFor(
  context: DeployContext,
  instance: string,
  { holder, say }: { holder: Holder; say: (line: string) => void },
): Promise<void> {
  return context.locks.take(instance, holder, () => {
    const running = context.store.deploys
      .unfinished()
      .find((deploy) => deploy.instance === instance);
    say(
      `reeve: ${running?.account ?? "somebody"} is deploying ${instance} just now; this push waits for its turn`,
    );
  });
}
