import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it, onTestFinished } from "vitest";
import { embeddedLayout } from "../../../src/config/layout.ts";
import { AppMaker } from "../../../src/front/app-maker.ts";
import { LocalHost } from "../../../src/host/host.ts";
import { Repositories } from "../../../src/front/repositories.ts";
import { localAdministrator } from "../../../src/front/rights.ts";
import { FrontStore, type Caller } from "../../../src/store/front-store.ts";
import { temporaryFolder } from "../../support/unit-folder.ts";

function setUp() {
  const layout = embeddedLayout(temporaryFolder());
  mkdirSync(layout.repositories, { recursive: true });
  const store = new FrontStore(join(layout.home, "front.db"));
  onTestFinished(() => store.close());
  for (const name of ["ada", "bob"]) store.addAccount(name, true);
  const made: string[] = [];
  const maker = new AppMaker({
    store,
    repositories: new Repositories(layout, new LocalHost()),
    createApp: (app) => Promise.resolve(made.push(app)),
  });
  return { store, maker, made };
}

function caller(account: string): Caller {
  return { account, via: "http", proof: { token: 1 } };
}

describe("an app that is made", () => {
  it("has its maker for its admin, and nobody whom an older app of that name let in", async () => {
    const { store, maker } = setUp();
    store.setRight("bob", "demo", "deploy");

    await maker.make("demo", caller("ada"));

    expect(store.right("ada", "demo")).toBe("admin");
    expect(store.right("bob", "demo")).toBeUndefined();
    expect(store.auditEntries(1)).toMatchObject([
      { account: "ada", action: "create", app: "demo" },
    ]);
  });

  it("by the administrator has no other admin", async () => {
    const { store, maker } = setUp();

    await maker.make("demo", localAdministrator);

    expect(store.accounts().flatMap(({ rights }) => rights)).toEqual([]);
  });

  it("by two at the same time is the first one's, and the other finds it there", async () => {
    const { store, maker, made } = setUp();

    const [first, second] = await Promise.allSettled([
      maker.make("demo", caller("ada")),
      maker.make("demo", caller("bob")),
    ]);

    expect(first.status).toBe("fulfilled");
    expect(second).toMatchObject({ status: "rejected", reason: { code: "APP_EXISTS" } });
    expect(store.right("ada", "demo")).toBe("admin");
    expect(store.right("bob", "demo")).toBeUndefined();
    expect(made).toEqual(["demo"]);
  });
});
