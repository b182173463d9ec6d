import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { describe, expect, it, onTestFinished, vi } from "vitest";
import { schema } from "../../../src/front/store/schema.ts";
import { FrontStore } from "../../../src/front/store/store.ts";
import { Sqlite } from "../../../src/system/sqlite.ts";
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
    first.accounts.add("ada", true);
    first.close();

    expect(open(path).accounts.all()).toMatchObject([
      { name: "ada", administrator: false, mayCreate: true },
      { name: "admin", administrator: true, mayCreate: true },
    ]);
  });

  it("refuses a file that a newer reeve wrote", () => {
    const path = join(temporaryFolder(), "front.db");
    const newer = new Sqlite(path, "front", ["SELECT 1", "SELECT 1", "SELECT 1", "SELECT 1"]);
    newer.close();

    expect(() => new FrontStore(path)).toThrow(
      "the front's database was written by another version of reeve",
    );
  });

  it("calls after variables what it wrote down of settings, as they were called once", () => {
    const path = join(temporaryFolder(), "front.db");
    const former = new Sqlite(path, "front", schema.slice(0, 1));
    for (const action of ["settings", "changeSettings", "setOptions"])
      former.run(
        "INSERT INTO audit (at, via, action, outcome) VALUES ('', 'ssh', ?, 'done')",
        action,
      );
    former.close();

    const entries = open(path).audit.entries(10);

    expect(entries.map(({ action }) => action).sort()).toEqual([
      "changeVariables",
      "setOptions",
      "variables",
    ]);
  });

  it("takes an account's name once", () => {
    const store = open();

    expect(store.accounts.add("ada", false)).toBe(true);
    expect(store.accounts.add("ada", true)).toBe(false);
    expect(store.accounts.add("admin", true)).toBe(false);
    expect(store.accounts.get("ada")?.mayCreate).toBe(false);
  });

  it("forgets with an account its tokens, keys and rights", () => {
    const store = open();
    store.accounts.add("ada", false);
    const token = store.tokens.add({ account: "ada", digest: "d", note: null, expiresAt: null });
    store.keys.add("ada", key);
    store.rights.set("ada", "demo", "admin");

    store.accounts.remove("ada");
    store.accounts.add("ada", false);

    expect(store.tokens.has(token)).toBe(false);
    expect(store.keys.all()).toEqual([]);
    expect(store.rights.of("ada", "demo")).toBeUndefined();
  });

  it("never gives a token's number to another one", () => {
    const store = open();
    const first = store.tokens.add({ account: "admin", digest: "1", note: null, expiresAt: null });
    store.tokens.remove(first);

    const second = store.tokens.add({ account: "admin", digest: "2", note: null, expiresAt: null });

    expect(second).toBeGreaterThan(first);
  });

  it("S6: gives a key to one account", () => {
    const store = open();
    store.accounts.add("ada", false);

    expect(store.keys.add("ada", key)).toBe(true);
    expect(store.keys.add("admin", key)).toBe(false);
    expect(store.keys.all()).toMatchObject([{ account: "ada", comment: "laptop" }]);
    expect(store.keys.all("admin")).toEqual([]);
  });

  it("forgets with an app everybody's rights in it", () => {
    const store = open();
    store.accounts.add("ada", false);
    store.rights.set("ada", "demo", "deploy");
    store.rights.set("ada", "shop", "read");

    store.forgetApp("demo");

    expect(store.accounts.all()[0]?.rights).toEqual([{ app: "shop", right: "read" }]);
  });

  it("shows the audit log with the newest first", () => {
    const store = open();
    store.audit.write({ account: null, via: "http", action: "identify", outcome: "refused" });
    store.audit.write({
      account: "ada",
      via: "ssh",
      action: "grant",
      app: "demo",
      outcome: "done",
      detail: "x",
    });

    expect(store.audit.entries(2)).toMatchObject([
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
    expect(store.audit.entries(1)).toHaveLength(1);
  });

  it("counts what is refused again within a minute, and forgets the oldest refusals, but no change for them", () => {
    vi.useFakeTimers({ now: new Date("2026-11-28T20:00:30Z") });
    onTestFinished(() => void vi.useRealTimers());
    const store = open();
    const change = { account: "ada", via: "local", action: "grant", outcome: "done" } as const;
    const refused = { via: "http", action: "identify", outcome: "refused" } as const;
    store.audit.write({ ...change, detail: "first" });
    for (const name of ["ada", "bob", "eve"])
      store.audit.write({ ...refused, account: null, detail: `wrong token for ${name}` });
    vi.setSystemTime(new Date("2026-11-28T20:01:00Z"));
    store.audit.write({ ...refused, account: null });

    expect(store.audit.entries(10)).toMatchObject([
      { times: 1, at: "2026-11-28T20:01:00.000Z" },
      { times: 3, lastAt: "2026-11-28T20:00:30.000Z", detail: "wrong token for ada" },
      change,
    ]);

    for (let number = 0; number < 10_100; number++)
      store.audit.write({ ...refused, account: `account-${number}` });

    const kept = store.audit.entries(20_000);
    expect(kept).toHaveLength(10_001);
    expect(kept.at(-1)).toMatchObject({ ...change, detail: "first" });
  });

  it("keeps changes as long as it is told, and tells of each", () => {
    vi.useFakeTimers({ now: new Date("2026-11-01T00:00:00Z") });
    onTestFinished(() => void vi.useRealTimers());
    const onChange = vi.fn();
    const store = new FrontStore(join(temporaryFolder(), "front.db"), { days: 10, onChange });
    onTestFinished(() => store.close());
    const change = { account: "ada", via: "ssh", action: "destroy", outcome: "done" } as const;
    for (const day of ["01", "11", "12"]) {
      vi.setSystemTime(new Date(`2026-11-${day}T00:00:00Z`));
      store.audit.write({ ...change, app: `app-${day}` });
    }

    expect(store.audit.entries(10).map(({ app }) => app)).toEqual(["app-12", "app-11"]);
    expect(onChange.mock.calls).toMatchObject([
      [{ ...change, app: "app-01" }],
      [{ app: "app-11" }],
      [{ app: "app-12" }],
    ]);
  });

  it("knows who had which right at any time, whatever became of the account and the app", async () => {
    const store = open();
    const pause = async (): Promise<string> => {
      await sleep(5);
      const time = new Date().toISOString();
      await sleep(5);
      return time;
    };
    store.accounts.add("ada", true);
    store.rights.set("ada", "demo", "read");
    store.accounts.add("bob", false);
    store.rights.set("bob", "shop", "admin");
    const first = await pause();
    store.rights.set("ada", "demo", "admin");
    store.rights.set("bob", "demo", "deploy");
    const second = await pause();
    store.rights.set("ada", "demo", undefined);
    store.accounts.change("ada", false);
    store.forgetApp("shop");
    const third = await pause();
    store.accounts.remove("bob");
    store.rights.set("ada", "demo", "read");

    const admin = { account: "admin", app: null, right: "create" };
    const creator = { account: "ada", app: null, right: "create" };
    const shop = { account: "bob", app: "shop", right: "admin" };
    const right = (account: string, level: string) => ({ account, app: "demo", right: level });
    expect(store.audit.rightsAt(first)).toEqual([creator, right("ada", "read"), admin, shop]);
    expect(store.audit.rightsAt(second)).toEqual([
      ...[creator, right("ada", "admin"), admin],
      ...[right("bob", "deploy"), shop],
    ]);
    expect(store.audit.rightsAt(third)).toEqual([admin, right("bob", "deploy")]);
    expect(store.audit.rightsAt(new Date().toISOString())).toEqual([right("ada", "read"), admin]);
    expect(store.audit.rightsKnownFrom() < first).toBe(true);
  });

  it("keeps no word in the audit log that would move a terminal's cursor", () => {
    const store = open();
    const detail = `refs/heads/\u001b[2J\u202e${"x".repeat(1000)}`;

    store.audit.write({
      account: "ada",
      via: "http",
      action: "pushBranch",
      outcome: "done",
      detail,
    });

    expect(store.audit.entries(1)[0]?.detail).toBe(`refs/heads/${"x".repeat(489)}`);
  });
});
