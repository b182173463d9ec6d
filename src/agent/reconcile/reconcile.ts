import { releasePath } from "../../names/instance.ts";
import { absentCommit, shortCommit } from "../../names/names.ts";
import { hasEnvironment } from "../environment/environment.ts";
import { asUserError } from "../../errors.ts";
import { waitFor } from "../../system/clock.ts";
import { isPresent, removeFile } from "../../system/files.ts";
import { currentCommit } from "../../system/git.ts";
import { isAlive } from "../../system/processes.ts";
import type { Reconciled } from "../../protocol/agent-verbs.ts";
import { sweepStaging } from "../release/release.ts";
import { mendVariables } from "../variables/variables.ts";
import type { Holder } from "../../names/deploy.ts";
import type { Deploy } from "../store/deploys.ts";
import type { InstanceRow } from "../store/instances.ts";
import { isEmperorRunning } from "../vassal/emperor.ts";
import { reloadNginx, runningNginx } from "../vhost/nginx.ts";
import {
  gitOf,
  optionsOf,
  pathsOf,
  releaseContext,
  userOf,
  type DeployContext,
} from "../world/context.ts";
import { converge, type Attempt } from "../converge/converge.ts";
import { judgeHolder } from "../deploy/judge.ts";
import { destroyApp } from "../deploy/destroy.ts";
import { provideFolders } from "../instance/folders.ts";
import { chownInstance } from "./chown.ts";
import { judgeLeft } from "./judge-left.ts";
import { removeLeftLocks } from "./left-locks.ts";
import { removeStrays } from "./strays.ts";
import { ownHolder } from "../world/locks.ts";
import { observe } from "../converge/observe.ts";
import { plan } from "../converge/plan.ts";
import { confirmRemoval, removeInstance, startRemoval } from "../deploy/remove.ts";
import { provideAppUsers } from "../instance/app-users.ts";
import { startSettling } from "../converge/settle.ts";
import { remakeEnvironment, remakeRelease } from "../deploy/remake.ts";
import { provideVhost } from "../instance/vhosts.ts";
import { tidy } from "../converge/tidy.ts";
import { settledVassal } from "../instance/vassals.ts";

/** Milliseconds in which an Emperor that fell, or that is started after the agent, is there. */
const emperorsStart = 5000;
/**
 * Compares what is on record with what is on disk and on the air, and puts right what differs. The ref is
 * the truth. Running it twice changes nothing.
 *
 * `atStart`: the agent takes no requests yet, so whatever is unfinished was left by a crash.
 */
export async function reconcile(context: DeployContext, atStart: boolean): Promise<Reconciled> {
  const work = new Reconciling(context, atStart);
  await work.run();
  const { done, astray, postponed } = work;
  return { done, astray, postponed };
}

/** The same when the agent listens: beside pushes, and beside an Emperor that is just being started. */
export async function reconcileAnew(context: DeployContext): Promise<Reconciled> {
  const { emperor } = context;
  // Taken for one that does not run, it would be robbed of the sockets that its vassals bind meanwhile.
  await waitFor(() => isEmperorRunning(emperor), { within: emperorsStart, every: 50 });
  return reconcile(context, false);
}

class Reconciling {
  readonly done: string[] = [];
  readonly astray: string[] = [];
  postponed = false;
  readonly #context: DeployContext;
  readonly #atStart: boolean;
  readonly #chowned = new Set<string>();

  constructor(context: DeployContext, atStart: boolean) {
    this.#context = context;
    this.#atStart = atStart;
  }

  async run(): Promise<void> {
    const { store } = this.#context;
    if (this.#atStart) await this.#tellNginx();
    if (this.#atStart) await removeLeftLocks(this.#context);
    for (const app of store.apps.names())
      await this.#alone(app, () => provideAppUsers(this.#context, app));
    for (const name of [
      ...store.apps.names(),
      ...store.previews.all().map(({ instance }) => instance),
    ])
      await this.#alone(name, () => this.#chown(name));
    for (const deploy of store.deploys.unfinished())
      await this.#alone(deploy.instance, () => this.#judge(deploy));
    for (const { instance, app } of store.previews.all())
      await this.#alone(instance, () => this.#unplaced(instance, app));
    for (const app of store.apps.destroyed()) await this.#alone(app, () => this.#destroy(app));
    for (const { name } of store.instances.all()) {
      // At the start the agent takes no requests yet: what settles may do so for a minute.
      if (!this.#atStart) await this.#context.background.rested(name);
      await this.#alone(name, () => this.#holding(name, (holder) => this.#instance(name, holder)));
    }
    await removeStrays(this.#context, this.#atStart, (name, what) => this.#did(name, what));
    // At the start nobody waits for it: there may be hundreds.
    const tidying = this.#tidy();
    if (!this.#atStart) await tidying;
  }

  /** Whoever wrote a server block and was cut off before nginx was told has left it looking right. */
  async #tellNginx(): Promise<void> {
    const { system, nginx, log } = this.#context;
    if ((await runningNginx(nginx)) === undefined) return;
    await reloadNginx(system, nginx).catch((error: unknown) =>
      log.error({ err: error }, "nginx did not take its configuration"),
    );
  }

  /** What was no longer needed, and whose removal was cut off after its deploy had settled. */
  async #tidy(): Promise<void> {
    const { store, background, log } = this.#context;
    for (const { name } of store.instances.all()) {
      await background.rested(name);
      const removed = await tidy(this.#context, name).catch((error: unknown) => {
        log.error({ err: error, instance: name }, "could not tidy up");
        return [];
      });
      for (const what of removed) this.#did(name, `${what} removed, as nobody needs it`);
    }
  }

  /** Asked for each app anew: one that starts meanwhile would lose the sockets that its vassals bind. */
  #emperorRuns(): Promise<boolean> {
    return isEmperorRunning(this.#context.emperor);
  }

  /** One app's trouble is not the others': they are put right all the same. */
  async #alone(name: string, work: () => Promise<void>): Promise<void> {
    try {
      await work();
    } catch (error) {
      this.#context.log.error({ err: error, instance: name }, "could not reconcile");
      this.#did(name, `could not be put right: ${asUserError(error).message}`);
    }
  }

  /** Each app has its own system users, and what it has on disk is theirs. */
  async #chown(name: string): Promise<void> {
    if (!(await chownInstance(this.#context, name))) return;
    this.#chowned.add(name);
    this.#did(name, `its files belong to ${userOf(this.#context, name).name} now`);
  }

  /** A preview whose first deploy was broken off: it has never been on the air. */
  async #unplaced(name: string, app: string): Promise<void> {
    const { store } = this.#context;
    if (store.instances.get(name)?.live) return;
    await this.#holding(name, async () => {
      // A push of it may have ended since.
      if (!store.instances.get(name)?.live) await removeInstance(this.#context, { name, app });
    });
  }

  async #destroy(app: string): Promise<void> {
    const { store, locks } = this.#context;
    const previews = store.previews.all().filter((preview) => preview.app === app);
    // One that cannot be judged now keeps its lock, and at the start nobody else would wait for it.
    if (previews.some(({ instance }) => locks.isHeld(instance))) return;
    await this.#holding(app, async (holder) => {
      await destroyApp(this.#context, app, holder);
      this.#did(app, "removed, as was begun");
    });
  }

  #did(instance: string, what: string): void {
    this.done.push(`${instance}: ${what}`);
    this.#context.log.info({ instance }, `reconciled: ${what}`);
  }

  #goesAstray(app: string): void {
    if (!this.astray.includes(app)) this.astray.push(app);
  }

  /** Whatever is being deployed just now will be right when it is done. */
  async #holding(name: string, work: (holder: Holder) => Promise<void>): Promise<void> {
    const { locks } = this.#context;
    const holder = await ownHolder();
    if (!locks.takeFree(name, holder)) return;
    try {
      await work(holder);
    } finally {
      locks.release(holder);
    }
  }

  async #judge(deploy: Deploy): Promise<void> {
    if (this.#atStart) {
      const { locks } = this.#context;
      await judgeLeft(this.#context, deploy).catch((error: unknown) => {
        // Nothing else happens to the instance until the agent has succeeded: it tries again and again.
        locks.takeFree(deploy.instance, deploy.holder);
        locks.keep(deploy.holder);
        throw error;
      });
    } else if (await isAlive(deploy.holder)) return;
    // The agent looks for such pushes by itself as well: whoever comes second finds nothing to do.
    else await judgeHolder(this.#context, deploy.holder);
    const state = this.#context.store.deploys.get(deploy.id)?.state ?? "gone";
    this.#did(deploy.instance, `deploy ${deploy.number}, which was cut off, is ${state}`);
  }

  async #instance(name: string, holder: Holder): Promise<void> {
    const context = this.#context;
    const row = context.store.instances.get(name);
    if (!row) return;
    const live = row.live === null ? undefined : context.store.deploys.get(row.live);
    await sweepStaging(releaseContext(context, row));
    const { variables } = pathsOf(context, row.name);
    await mendVariables(context.system, variables);
    await provideFolders(context, row.name);
    if (!live) return;

    const isRemade = await this.#provideParts(row, live);
    await this.#putRight(row, live, isRemade);
    await this.#followBranch(row, live, holder);
  }

  /**
   * What was removed by hand, or eaten by a broken disk, is made again. Resolves to whether the environment
   * was, without which the vassal may have given up.
   */
  async #provideParts(row: InstanceRow, live: Deploy): Promise<boolean> {
    const context = this.#context;
    const paths = pathsOf(context, row.name);
    const options = await optionsOf(context, row.app);
    const parts = { row, live, options };
    if (!(await isPresent(releasePath(paths, live.newCommit)))) {
      await remakeRelease(context, parts);
      this.#did(row.name, `release ${shortCommit(live.newCommit)} checked out again`);
    }
    const isMissing = !(await hasEnvironment(paths, live.environment ?? ""));
    // At the start all apps wait for this to end, and a build may take long.
    if (isMissing && this.#atStart) this.postponed = true;
    const isToBuild = isMissing && !this.#atStart;
    if (isToBuild) {
      const hash = await remakeEnvironment(context, parts);
      Object.assign(live, context.store.deploys.get(live.id));
      this.#did(row.name, `environment ${hash} built again`);
    }
    if ((await runningNginx(context.nginx)) === undefined) return isToBuild;
    const vhost = await provideVhost(context, row, options);
    if (vhost === "made" || vhost === "changed") this.#did(row.name, `vhost ${vhost}`);
    // What a later template of ours has, as the access log, is missing there.
    if (vhost === "edited")
      context.log.warn(
        { instance: row.name },
        "its server block was edited by hand: left as it is",
      );
    return isToBuild;
  }

  /** What differs from what is live; what settles does so beside what comes next. */
  async #putRight(row: InstanceRow, live: Deploy, isRemade: boolean): Promise<void> {
    const context = this.#context;
    const { name } = row;
    const commit = shortCommit(live.newCommit);
    const isSettled = row.live === row.settled && !this.#chowned.has(name);
    const progress = !isSettled ? "unsettled" : isRemade ? "astray" : undefined;
    const onDisk = !(await this.#emperorRuns());
    // Whoever bound it is gone.
    if (onDisk) await removeFile(settledVassal(context, live).socket);
    const attempt: Attempt = { progress, onDisk, goOn: () => undefined };
    const next = await converge(context, { row, deploy: live }, attempt, (done) => {
      if (done.do === "write") this.#did(name, `${name}.ini brought to ${commit}`);
      if (onDisk) return;
      if (done.do === "retire") this.#did(name, "understudies retired");
      if (done.do === "point" && done.to.role !== "understudy")
        this.#did(name, "nginx's link points at the vassal again");
    });
    if (next.do === "rest") return;
    if (next.do === "deploy") this.#goesAstray(row.app);
    else startSettling(context, name, live.id);
    const again = `its vassal is brought to ${commit} again`;
    this.#did(name, isSettled ? again : `goes on settling ${commit}`);
  }

  async #followBranch(row: InstanceRow, live: Deploy, holder: Holder): Promise<void> {
    const context = this.#context;
    const named = await currentCommit(context.system, gitOf(context, row.app), live.ref);
    const wanted = { commit: named === absentCommit ? undefined : named, onDisk: false };
    const seen = await observe(context, { row, deploy: live }, "left to others");
    const next = plan(wanted, seen);
    if (next.do === "remove") await this.#removeWithRef(row, live, holder);
    if (next.do !== "deploy") return;
    this.#goesAstray(row.app);
    this.#did(row.name, `${live.ref} names ${shortCommit(named)}, which is to be deployed`);
  }

  /** Somebody removed the branch on the server itself: the record has the removal as it has any other. */
  async #removeWithRef(row: InstanceRow, live: Deploy, holder: Holder): Promise<void> {
    const context = this.#context;
    const removal = startRemoval(context, row, {
      ...{ ref: live.ref, oldCommit: live.newCommit, account: "reeve", holder },
      subject: "the branch is gone",
    });
    context.store.deploys.change(removal.id, { state: "switched" });
    await confirmRemoval(context, removal);
    this.#did(row.name, `removed: ${live.ref} is gone`);
  }
}
