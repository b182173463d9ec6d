import { UserError } from "../errors.ts";
import type { Caller, FrontStore } from "../store/front-store.ts";
import type { Repositories } from "./repositories.ts";

interface AppWorld {
  store: FrontStore;
  repositories: Repositories;
  /** The agent's part. */
  createApp: (app: string) => Promise<unknown>;
}

/** Makes apps, one at a time for each name: of two who want the same one, the first becomes its admin. */
export class AppMaker {
  readonly #world: AppWorld;
  readonly #making = new Map<string, Promise<void>>();

  constructor(world: AppWorld) {
    this.#world = world;
  }

  /** `APP_EXISTS` where there is one of that name. */
  async make(app: string, caller: Caller): Promise<void> {
    const before = this.#making.get(app) ?? Promise.resolve();
    const makeNow = (): Promise<void> => this.#make(app, caller);
    const making = before.then(makeNow, makeNow);
    this.#making.set(app, making);
    try {
      await making;
    } finally {
      if (this.#making.get(app) === making) this.#making.delete(app);
    }
  }

  async #make(app: string, caller: Caller): Promise<void> {
    const { store, repositories, createApp } = this.#world;
    if (await repositories.has(app))
      throw new UserError("APP_EXISTS", `there is an app ${app} already`);
    await createApp(app);
    // Rights that an older app of that name may have left count no more.
    store.forgetApp(app);
    const { account, via, proof } = caller;
    if (proof !== "administrator") store.setRight(account, app, "admin");
    await repositories.create(app);
    store.audit({ account, via, action: "create", app, outcome: "done" });
  }
}
