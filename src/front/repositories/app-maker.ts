import { UserError } from "../../errors.ts";
import { Turns } from "../../system/turns.ts";
import type { Caller, FrontStore } from "../store/store.ts";
import type { Repositories } from "./repositories.ts";
import type { Rights } from "../accounts/rights.ts";

interface AppWorld {
  store: FrontStore;
  rights: Rights;
  repositories: Repositories;
  /** The agent's part. */
  createApp: (app: string) => Promise<unknown>;
  removeApp: (app: string) => Promise<unknown>;
  /** Whether anything was ever deployed, or tried to be. */
  wasDeployed: (app: string) => Promise<boolean>;
  /** How many an account may make. */
  appsEach: number;
}

/** Makes apps, one at a time for each name: of two who want the same one, the first becomes its admin. */
export class AppMaker {
  readonly #world: AppWorld;
  readonly #turns = new Turns();
  readonly #pushes = new Map<string, number>();
  readonly #idle = new Map<string, AbortController>();

  constructor(world: AppWorld) {
    this.#world = world;
  }

  /** `APP_EXISTS` where there is one of that name. */
  make(app: string, caller: Caller, byPush = false): Promise<void> {
    return this.#turns.run(app, () => this.#make(app, caller, byPush));
  }

  /** Whether the account may make one more: `APP_LIMIT`. */
  expectRoom({ account }: Caller): void {
    const { store, appsEach } = this.#world;
    const isFull = store.madeApps.countOf(account) >= appsEach;
    if (!isFull || store.accounts.get(account)?.administrator) return;
    throw new UserError(
      "APP_LIMIT",
      `${account} has made ${appsEach} apps, those of the last day included that are gone, and more are not made`,
    );
  }

  /** Somebody pushes to it from now on: what is being made or removed is so by then. */
  enter(app: string): Promise<void> {
    // Who works there while nobody pushes makes room.
    this.#idle.get(app)?.abort();
    return this.#turns.run(app, () => {
      this.#pushes.set(app, this.#pushesTo(app) + 1);
      return Promise.resolve();
    });
  }

  /** Such a push is over. One that has made an app and brought nothing leaves none. */
  async leave(app: string): Promise<void> {
    const left = this.#pushesTo(app) - 1;
    if (left > 0) this.#pushes.set(app, left);
    else this.#pushes.delete(app);
    await this.#unmakeUnused(app);
  }

  /** Does what moves a branch without a push. */
  async during<T>(app: string, work: () => Promise<T>): Promise<T> {
    await this.enter(app);
    try {
      return await work();
    } finally {
      await this.leave(app);
    }
  }

  /** Works while nobody pushes to the app; whoever comes to do so ends it. Resolves to whether it was done. */
  whileIdle(app: string, work: (signal: AbortSignal) => Promise<boolean>): Promise<boolean> {
    return this.#turns.run(app, async () => {
      if (this.#pushesTo(app) > 0) return false;
      const ending = new AbortController();
      this.#idle.set(app, ending);
      try {
        return await work(ending.signal);
      } catch (error) {
        if (ending.signal.aborted) return false;
        throw error;
      } finally {
        this.#idle.delete(app);
      }
    });
  }

  /** The same for pushes that nobody has seen the end of. */
  async sweep(): Promise<void> {
    for (const app of this.#world.store.madeApps.byPush()) await this.#unmakeUnused(app);
  }

  async #unmakeUnused(app: string): Promise<void> {
    const isCandidate = (): boolean =>
      this.#pushesTo(app) === 0 && this.#world.store.madeApps.byPush().includes(app);
    if (!isCandidate()) return;
    await this.#turns.run(app, async () => {
      if (isCandidate()) await this.#unmake(app);
    });
  }

  #pushesTo(app: string): number {
    return this.#pushes.get(app) ?? 0;
  }

  async #make(app: string, caller: Caller, byPush: boolean): Promise<void> {
    const { store, rights, repositories, createApp, removeApp } = this.#world;
    if (await repositories.has(app))
      throw new UserError("APP_EXISTS", `there is an app ${app} already`);
    // Another one of that name may have been made and removed meanwhile.
    rights.expect(caller, "create", app);
    this.expectRoom(caller);
    const { account, via, proof } = caller;
    // Rights that an older app of that name may have left count no more.
    store.forgetApp(app);
    store.madeApps.add(app, account, byPush);
    try {
      await createApp(app);
      await repositories.create(app);
    } catch (error) {
      store.unmakeApp(app);
      await removeApp(app).catch(() => undefined);
      throw error;
    }
    if (proof !== "administrator") store.rights.set(account, app, "admin");
    store.audit.write({ account, via, action: "create", app, outcome: "done" });
  }

  async #unmake(app: string): Promise<void> {
    const { store, repositories, removeApp, wasDeployed } = this.#world;
    if ((await repositories.hasRefs(app)) || (await wasDeployed(app))) {
      store.madeApps.keep(app);
      return;
    }
    await removeApp(app);
    await repositories.remove(app);
    store.unmakeApp(app);
    const detail = "nothing was pushed to it";
    store.audit.write({
      account: null,
      via: "local",
      action: "destroy",
      app,
      outcome: "done",
      detail,
    });
  }
}
