import { join } from "node:path";
import { describe, expect, it, onTestFinished } from "vitest";
import { rightNames } from "../../../../src/names/names.ts";
import { UserError } from "../../../../src/errors.ts";
import {
  localAdministrator,
  needs,
  Rights,
  type Action,
} from "../../../../src/front/accounts/rights.ts";
import { FrontStore, type Caller } from "../../../../src/front/store/store.ts";
import { temporaryFolder } from "../../../support/unit-folder.ts";

const people = ["stranger", "creator", "reader", "reviewer", "deployer", "owner", "other"] as const;
type Person = (typeof people)[number];

function setUp() {
  const store = new FrontStore(join(temporaryFolder(), "front.db"));
  onTestFinished(() => store.close());
  const callers = new Map<string, Caller>([["admin", localAdministrator]]);
  for (const name of people) {
    store.accounts.add(name, name === "creator");
    const token = store.tokens.add({ account: name, digest: name, note: null, expiresAt: null });
    callers.set(name, { account: name, via: "http", proof: { token } });
  }
  store.rights.set("reader", "demo", "read");
  store.rights.set("reviewer", "demo", "preview");
  store.rights.set("deployer", "demo", "deploy");
  store.rights.set("owner", "demo", "admin");
  store.rights.set("other", "shop", "admin");
  return { store, rights: new Rights(store), caller: (name: string) => callers.get(name)! };
}

function refusalOf(work: () => void): UserError | undefined {
  try {
    work();
    return undefined;
  } catch (error) {
    return error as UserError;
  }
}

/** Who may do what in `demo`. One line for each action that there is. */
const matrix: Record<Action, readonly Person[]> = {
  apps: people,
  fetch: ["reader", "reviewer", "deployer", "owner"],
  disk: ["reader", "reviewer", "deployer", "owner"],
  show: ["reader", "reviewer", "deployer", "owner"],
  previews: ["reader", "reviewer", "deployer", "owner"],
  removePreview: ["reviewer", "deployer", "owner"],
  rollbackPreview: ["reviewer", "deployer", "owner"],
  redeployPreview: ["reviewer", "deployer", "owner"],
  rebuildPreview: ["reviewer", "deployer", "owner"],
  cancelPreview: ["reviewer", "deployer", "owner"],
  pinPreview: ["deployer", "owner"],
  releases: ["reader", "reviewer", "deployer", "owner"],
  deploys: ["reader", "reviewer", "deployer", "owner"],
  deployLog: ["reader", "reviewer", "deployer", "owner"],
  logs: ["reader", "reviewer", "deployer", "owner"],
  options: ["reader", "reviewer", "deployer", "owner"],
  push: ["reviewer", "deployer", "owner"],
  pushBranch: ["reviewer", "deployer", "owner"],
  pushProduction: ["deployer", "owner"],
  variables: ["deployer", "owner"],
  rollback: ["deployer", "owner"],
  redeploy: ["deployer", "owner"],
  rebuild: ["deployer", "owner"],
  cancel: ["deployer", "owner"],
  changeVariables: ["owner"],
  setOptions: ["owner"],
  grant: ["owner"],
  revoke: ["owner"],
  destroy: ["owner"],
  create: ["creator"],
  setServersOptions: [],
  accounts: [],
  addAccount: [],
  changeAccount: [],
  removeAccount: [],
  tokens: [],
  rightsAt: [],
  createToken: [],
  revokeToken: [],
  keys: [],
  addKey: [],
  removeKey: [],
  audit: [],
  reconcile: [],
};

describe("who may do what", () => {
  it.each(Object.entries(matrix) as [Action, readonly Person[]][])("%s: %j", (action, allowed) => {
    const { rights, caller } = setUp();

    const found = people.filter((name) => rights.may(caller(name), action, "demo"));

    expect(found).toEqual(people.filter((name) => allowed.includes(name)));
    expect(rights.may(localAdministrator, action, "demo")).toBe(true);
  });

  it("has a line for everything that can be done", () => {
    expect(Object.keys(matrix).toSorted()).toEqual(Object.keys(needs).toSorted());
  });

  it("grows from right to right: each holds those before it", () => {
    const { store, rights, caller } = setUp();
    const counts = rightNames.map((right) => {
      store.rights.set("stranger", "demo", right);
      return (Object.keys(needs) as Action[]).filter((action) =>
        rights.may(caller("stranger"), action, "demo"),
      ).length;
    });

    expect(counts).toEqual(counts.toSorted((one, other) => one - other));
    expect(new Set(counts).size).toBe(rightNames.length);
  });
});

describe("a refusal", () => {
  it("A1: says of an app that one may not read what it says of one that is not there", () => {
    const { rights, caller } = setUp();

    for (const action of ["fetch", "push", "show", "destroy", "grant"] as const) {
      const hidden = refusalOf(() => rights.expect(caller("other"), action, "demo"));
      const absent = refusalOf(() => rights.expect(caller("other"), action, "nosuch"));

      expect(hidden).toMatchObject({ code: "APP_UNKNOWN", message: "there is no app demo" });
      expect(absent).toMatchObject({ code: "APP_UNKNOWN", message: "there is no app nosuch" });
      expect(hidden?.hint).toBe(absent?.hint);
    }
  });

  it("names the right that is missing where one may read", () => {
    const { rights, caller } = setUp();

    const refusal = refusalOf(() => rights.expect(caller("reviewer"), "pushProduction", "demo"));

    expect(refusal).toMatchObject({
      code: "NOT_ALLOWED",
      hint: "Ask for the right `deploy`: reeve grant reviewer demo deploy",
    });
  });

  it("is written down, with who, by what way, and what", () => {
    const { store, rights, caller } = setUp();

    refusalOf(() => rights.expect(caller("reader"), "rollback", "demo"));

    expect(store.audit.entries(10)).toMatchObject([
      { account: "reader", via: "http", action: "rollback", app: "demo", outcome: "refused" },
    ]);
  });

  it("A6: is what a credential gets that was taken back, at once and for everything", () => {
    const { store, rights, caller } = setUp();
    const deployer = caller("deployer");
    expect(rights.may(deployer, "pushProduction", "demo")).toBe(true);

    store.tokens.remove((deployer.proof as { token: number }).token);

    for (const action of Object.keys(needs) as Action[])
      expect(rights.may(deployer, action, "demo")).toBe(false);
  });

  it("A6: is what an account gets that is gone, and one that is made anew has no rights", () => {
    const { store, rights, caller } = setUp();
    store.accounts.remove("owner");
    expect(rights.may(caller("owner"), "apps")).toBe(false);

    store.accounts.add("owner", false);
    const token = store.tokens.add({
      account: "owner",
      digest: "new",
      note: null,
      expiresAt: null,
    });
    const anew: Caller = { account: "owner", via: "http", proof: { token } };

    expect(rights.may(anew, "apps")).toBe(true);
    expect(rights.may(anew, "show", "demo")).toBe(false);
  });

  it("A13: is what an app's admin gets for what is the server's, by whatever name", () => {
    const { store, rights, caller } = setUp();
    store.accounts.add("demo", false);

    expect(rights.may(caller("owner"), "removeAccount", "demo")).toBe(false);
    expect(rights.may(caller("owner"), "createToken", "demo")).toBe(false);
  });

  it("keeps a key from proving another account than its own", () => {
    const { store, rights } = setUp();
    store.keys.add("reader", {
      fingerprint: "f",
      type: "ssh-ed25519",
      body: "AAAA",
      comment: null,
    });

    expect(rights.may({ account: "reader", via: "ssh", proof: { key: "f" } }, "show", "demo")).toBe(
      true,
    );
    expect(rights.may({ account: "owner", via: "ssh", proof: { key: "f" } }, "show", "demo")).toBe(
      false,
    );
  });
});

describe("options", () => {
  it.each([
    [["production_branch"], true],
    [["health_path", "health_status", "health_deadline", "grace"], true],
    [["host"], false],
    [["web_processes"], false],
    [["health_path", "host"], false],
    [["nosuch"], false],
  ])("%j are the app's admin's to set: %s", (names, allowed) => {
    const { rights, caller } = setUp();

    const refusal = refusalOf(() => rights.expectOptions(caller("owner"), "demo", names));

    expect(refusal === undefined).toBe(allowed);
    expect(
      refusalOf(() => rights.expectOptions(localAdministrator, "demo", names)),
    ).toBeUndefined();
  });
});
