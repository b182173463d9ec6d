import { join } from "node:path";
import { describe, expect, it, onTestFinished } from "vitest";
import { FrontStore } from "../../../src/store/front-store.ts";
import { Sqlite } from "../../../src/store/sqlite.ts";
import { temporaryFolder } from "../../support/unit-folder.ts";

function open(path = join(temporaryFolder(), "front.db")): FrontStore {
  const store = new FrontStore(path);
  onTestFinished(() => store.close());
  return store;
}

const key = { fingerprint: "SHA256:x", type: "ssh-ed25519", body: "AAAA", comment: "laptop" };

describe("the front's store", () => {
  it("begins with the administrator, and keeps what it was told", () => {
    const path = join(temporaryFolder(), "front.db");
    const first = new FrontStore(path);
    first.addAccount("ada", true);
    first.close();

    expect(open(path).accounts()).toMatchObject([
      { name: "ada", administrator: false, mayCreate: true },
      { name: "admin", administrator: true, mayCreate: true },
    ]);
  });

  it("refuses a file that a newer reeve wrote", () => {
    const path = join(temporaryFolder(), "front.db");
    const newer = new Sqlite(path, "front", ["SELECT 1", "SELECT 1", "SELECT 1", "SELECT 1"]);
    newer.close();

    expect(() => new FrontStore(path)).toThrow("the front's database was written by a newer reeve");
  });

  it("takes an account's name once", () => {
    const store = open();

    expect(store.addAccount("ada", false)).toBe(true);
    expect(store.addAccount("ada", true)).toBe(false);
    expect(store.addAccount("admin", true)).toBe(false);
    expect(store.account("ada")?.mayCreate).toBe(false);
  });

  it("forgets with an account its tokens, keys and rights", () => {
    const store = open();
    store.addAccount("ada", false);
    const token = store.addToken({ account: "ada", digest: "d", note: null, expiresAt: null });
    store.addKey("ada", key);
    store.setRight("ada", "demo", "admin");

    store.removeAccount("ada");
    store.addAccount("ada", false);

    expect(store.hasToken(token)).toBe(false);
    expect(store.keys()).toEqual([]);
    expect(store.right("ada", "demo")).toBeUndefined();
  });

  it("never gives a token's number to another one", () => {
    const store = open();
    const first = store.addToken({ account: "admin", digest: "1", note: null, expiresAt: null });
    store.removeToken(first);

    const second = store.addToken({ account: "admin", digest: "2", note: null, expiresAt: null });

    expect(second).toBeGreaterThan(first);
  });

  it("S6: gives a key to one account", () => {
    const store = open();
    store.addAccount("ada", false);

    expect(store.addKey("ada", key)).toBe(true);
    expect(store.addKey("admin", key)).toBe(false);
    expect(store.keys()).toMatchObject([{ account: "ada", comment: "laptop" }]);
    expect(store.keys("admin")).toEqual([]);
  });

  it("forgets with an app everybody's rights in it", () => {
    const store = open();
    store.addAccount("ada", false);
    store.setRight("ada", "demo", "deploy");
    store.setRight("ada", "shop", "read");

    store.forgetApp("demo");

    expect(store.accounts()[0]?.rights).toEqual([{ app: "shop", right: "read" }]);
  });

  it("shows the audit log with the newest first", () => {
    const store = open();
    store.audit({ account: null, via: "http", action: "identify", outcome: "refused" });
    store.audit({
      account: "ada",
      via: "ssh",
      action: "grant",
      app: "demo",
      outcome: "done",
      detail: "x",
    });

    expect(store.auditEntries(2)).toMatchObject([
      { account: "ada", via: "ssh", action: "grant", app: "demo", outcome: "done", detail: "x" },
      {
        account: null,
        via: "http",
        action: "identify",
        app: null,
        outcome: "refused",
        detail: null,
      },
    ]);
    expect(store.auditEntries(1)).toHaveLength(1);
  });

  it("keeps no word in the audit log that would move a terminal's cursor", () => {
    const store = open();
    const detail = `refs/heads/\u001b[2J\u202e${"x".repeat(1000)}`;

    store.audit({ account: "ada", via: "http", action: "pushBranch", outcome: "done", detail });

    expect(store.auditEntries(1)[0]?.detail).toBe(`refs/heads/${"x".repeat(489)}`);
  });
});
