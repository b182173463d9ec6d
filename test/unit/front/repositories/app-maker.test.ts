import { mkdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it, onTestFinished, vi } from "vitest";
import { embeddedLayout } from "../../../../src/config/layout.ts";
import { AppMaker } from "../../../../src/front/repositories/app-maker.ts";
import { LocalSystem } from "../../../../src/system/system.ts";
import { Repositories } from "../../../../src/front/repositories/repositories.ts";
import { localAdministrator, Rights } from "../../../../src/front/accounts/rights.ts";
import { FrontStore, type Caller } from "../../../../src/front/store/store.ts";
import { HeldWork } from "../../../support/held-work.ts";
import { temporaryFolder } from "../../../support/unit-folder.ts";

function setUp() {
  const layout = embeddedLayout(temporaryFolder());
  mkdirSync(layout.repositories, { recursive: true });
  const store = new FrontStore(join(layout.home, "front.db"));
  onTestFinished(() => store.close());
  for (const account of ["ada", "bob"]) {
    store.accounts.add(account, true);
    store.tokens.add({ account, digest: account, note: null, expiresAt: null });
  }
  const made: string[] = [];
  const deployed = new Set<string>();
  const maker = new AppMaker({
    store,
    rights: new Rights(store),
    repositories: new Repositories(layout, new LocalSystem()),
    createApp: (app) => Promise.resolve(made.push(app)),
    removeApp: (app) => Promise.resolve(made.splice(made.indexOf(app), 1)),
    wasDeployed: (app) => Promise.resolve(deployed.has(app)),
    appsEach: 3,
  });
  return { store, maker, made, deployed, layout };
}

function caller(account: string): Caller {
  return { account, via: "http", proof: { token: 1 } };
}

describe("an app that is made", () => {
  it("has its maker for its admin, and nobody whom an older app of that name let in", async () => {
    const { store, maker } = setUp();
    store.rights.set("bob", "demo", "deploy");

    await maker.make("demo", caller("ada"));

    expect(store.rights.of("ada", "demo")).toBe("admin");
    expect(store.rights.of("bob", "demo")).toBeUndefined();
    expect(store.audit.entries(1)).toMatchObject([
      { account: "ada", action: "create", app: "demo" },
    ]);
  });

  it("is nobody's who may make none any more when their turn comes", async () => {
    const { store, maker, made } = setUp();
    const held = new HeldWork();
    const before = maker.whileIdle("demo", async () => {
      await held.run();
      store.accounts.change("ada", false);
      return true;
    });

    const making = maker.make("demo", caller("ada"));
    held.end();

    await expect(making).rejects.toMatchObject({ code: "NOT_ALLOWED" });
    await before;
    expect(made).toEqual([]);
    expect(store.rights.of("ada", "demo")).toBeUndefined();
    expect(store.audit.entries(1)).toMatchObject([
      { account: "ada", action: "create", app: "demo", outcome: "refused" },
    ]);
  });

  it("by the administrator has no other admin", async () => {
    const { store, maker } = setUp();

    await maker.make("demo", localAdministrator);

    expect(store.accounts.all().flatMap(({ rights }) => rights)).toEqual([]);
  });

  it("by two at the same time is the first one's, and the other finds it there", async () => {
    const { store, maker, made } = setUp();

    const [first, second] = await Promise.allSettled([
      maker.make("demo", caller("ada")),
      maker.make("demo", caller("bob")),
    ]);

    expect(first.status).toBe("fulfilled");
    expect(second).toMatchObject({ status: "rejected", reason: { code: "APP_EXISTS" } });
    expect(store.rights.of("ada", "demo")).toBe("admin");
    expect(store.rights.of("bob", "demo")).toBeUndefined();
    expect(made).toEqual(["demo"]);
  });

  it("is one of so many that its maker may make, and counts for a day where it is gone", async () => {
    vi.useFakeTimers({ now: new Date("2026-11-28T20:00:00Z"), toFake: ["Date"] });
    onTestFinished(() => void vi.useRealTimers());
    const { store, maker } = setUp();
    const makeAs = (account: string) => (name: string) => maker.make(name, caller(account));
    await Promise.all(["one", "two", "three"].map(makeAs("ada")));
    store.forgetApp("two");

    await expect(makeAs("ada")("four")).rejects.toMatchObject({ code: "APP_LIMIT" });
    await makeAs("bob")("four");
    for (const name of ["a", "b", "c", "d"]) await maker.make(name, localAdministrator);

    vi.setSystemTime(new Date("2026-11-29T20:00:01Z"));
    await makeAs("ada")("five");
    await expect(makeAs("ada")("six")).rejects.toMatchObject({ code: "APP_LIMIT" });
  });

  it("by a push that brings nothing is gone with it, and counts nowhere", async () => {
    const { store, maker, made } = setUp();

    for (let count = 0; count < 10; count++) {
      await maker.enter(`app-${count}`);
      await maker.make(`app-${count}`, caller("ada"), true);
      await maker.leave(`app-${count}`);
    }

    expect(made).toEqual([]);
    expect(store.madeApps.countOf("ada")).toBe(0);
    expect(store.rights.of("ada", "app-0")).toBeUndefined();
  });

  it("by a push stays while another one works on it, and where something was deployed or pushed", async () => {
    const { maker, made, deployed, layout } = setUp();
    for (const name of ["busy", "tried", "tagged"]) {
      await maker.enter(name);
      await maker.make(name, caller("ada"), true);
    }
    await maker.enter("busy");
    deployed.add("tried");
    const tags = join(layout.repositories, "tagged.git/refs/tags");
    writeFileSync(join(tags, "v1"), "");

    for (const name of ["busy", "tried", "tagged"]) await maker.leave(name);

    expect(made).toEqual(["busy", "tried", "tagged"]);
    await maker.leave("busy");
    expect(made).toEqual(["tried", "tagged"]);
  });

  it("halfway is taken back", async () => {
    const { maker, made, store, layout } = setUp();
    rmSync(layout.repositories, { recursive: true });

    await expect(maker.make("demo", caller("ada"))).rejects.toThrow();

    expect(made).toEqual([]);
    expect(store.madeApps.countOf("ada")).toBe(0);
  });
});
