import { rightNames, type Right } from "../../names/names.ts";
import { UserError } from "../../errors.ts";
import type { Account } from "../../names/account.ts";
import { readings, type Reading } from "../../protocol/readings.ts";
import type { Caller, FrontStore } from "../store/store.ts";

const forWhoReads = Object.fromEntries(
  Object.keys(readings).map((name) => [name, "read"]),
) as Record<Reading, "read">;

/**
 * What everything needs that can be asked of reeve, by any transport: a right in the app, or a quality of
 * the account itself. `anybody` is whoever has proven an account.
 */
export const needs = {
  fetch: "read",
  push: "preview",
  pushBranch: "preview",
  pushProduction: "deploy",

  apps: "anybody",
  ...forWhoReads,
  logs: "read",
  // Whoever can deploy can have the app print its variables.
  variables: "deploy",
  // What a push of the branch, or of its end, does as well.
  removePreview: "preview",
  rollbackPreview: "preview",
  redeployPreview: "preview",
  rebuildPreview: "preview",
  cancelPreview: "preview",
  pinPreview: "deploy",
  rollback: "deploy",
  redeploy: "deploy",
  rebuild: "deploy",
  cancel: "deploy",
  changeVariables: "admin",
  setOptions: "admin",
  grant: "admin",
  revoke: "admin",
  destroy: "admin",

  create: "create",
  setServersOptions: "administrator",
  accounts: "administrator",
  addAccount: "administrator",
  changeAccount: "administrator",
  removeAccount: "administrator",
  tokens: "administrator",
  createToken: "administrator",
  revokeToken: "administrator",
  keys: "administrator",
  addKey: "administrator",
  removeKey: "administrator",
  audit: "administrator",
  rightsAt: "administrator",
  reconcile: "administrator",
} as const satisfies Record<string, Right | "anybody" | "create" | "administrator">;

export type Action = keyof typeof needs;

/**
 * The options that an app's admin may set. A host, and what the machine gives to an app, are for the server's
 * administrator to grant; so is every option that somebody adds and forgets to name here.
 */
const appsOwnOptions = new Set([
  "production_branch",
  "previews",
  "preview_variables",
  "preview_password",
  "health_path",
  "health_status",
  "health_deadline",
  "overlap",
  "grace",
]);

/** The administrator on the server itself: whoever can open the control socket. */
export const localAdministrator: Caller = {
  account: "admin",
  via: "local",
  proof: "administrator",
};

/** What somebody may do: judged here for every transport, command and page, anew each time. */
export class Rights {
  readonly #store: FrontStore;
  readonly #written = new WeakSet<UserError>();

  constructor(store: FrontStore) {
    this.#store = store;
  }

  may(caller: Caller, action: Action, app = ""): boolean {
    return this.#refusal(caller, action, app) === undefined;
  }

  /** Refuses, and writes the refusal down. An app that somebody may not read is said not to be there. */
  expect(caller: Caller, action: Action, app = ""): void {
    const refusal = this.#refusal(caller, action, app);
    if (!refusal) return;
    const { account, via } = caller;
    this.#store.audit.write({
      account,
      via,
      action,
      app: app || undefined,
      outcome: "refused",
      detail: refusal.message,
    });
    this.#written.add(refusal);
    throw refusal;
  }

  /** Whether it is a refusal of ours, which is in the audit log. */
  hasWritten(error: UserError): boolean {
    return this.#written.has(error);
  }

  expectOptions(caller: Caller, app: string, names: string[]): void {
    if (names.some((name) => !appsOwnOptions.has(name)))
      this.expect(caller, "setServersOptions", app);
  }

  #refusal(caller: Caller, action: Action, app: string): UserError | undefined {
    const account = this.#store.accounts.get(caller.account);
    if (!account || !this.#isProven(caller)) {
      return new UserError("NOT_ALLOWED", "the credential that you gave was taken back");
    }
    if (account.administrator) return undefined;
    const need = needs[action];
    switch (need) {
      case "anybody":
        return undefined;
      case "create":
        return account.mayCreate ? undefined : notAllowed(account, "create apps");
      case "administrator":
        return notAllowed(account, "do what is the administrator's");
      default:
        return this.#refusalInApp(account, need, action, app);
    }
  }

  #refusalInApp(account: Account, need: Right, action: Action, app: string): UserError | undefined {
    const right = this.#store.rights.of(account.name, app);
    if (right && rightNames.indexOf(right) >= rightNames.indexOf(need)) return undefined;
    if (right) {
      return new UserError(
        "NOT_ALLOWED",
        `${account.name} may not ${words[action] ?? action} ${app}`,
        {
          hint: `Ask for the right \`${need}\`: reeve grant ${account.name} ${app} ${need}`,
        },
      );
    }
    // Whoever may create apps learns in any case which names are taken.
    if (action === "push" && account.mayCreate)
      return new UserError("NOT_ALLOWED", `the name ${app} is taken by an app of somebody else's`);
    return new UserError("APP_UNKNOWN", `there is no app ${app}`);
  }

  #isProven({ account, proof }: Caller): boolean {
    if (proof === "administrator") return true;
    if ("token" in proof) return this.#store.tokens.has(proof.token);
    return this.#store.keys.get(proof.key)?.account === account;
  }
}

const words: Partial<Record<Action, string>> = {
  push: "push to",
  pushBranch: "push branches to",
  pushProduction: "put on the air what it pushes to",
  variables: "see the variables of",
  rollback: "roll back",
  removePreview: "remove previews of",
  rollbackPreview: "roll back previews of",
  redeployPreview: "redeploy previews of",
  rebuildPreview: "rebuild previews of",
  cancelPreview: "cancel deploys of previews of",
  pinPreview: "pin previews of",
  changeVariables: "change the variables of",
  setOptions: "change the options of",
  grant: "grant rights in",
  revoke: "take back rights in",
};

function notAllowed({ name }: Account, what: string): UserError {
  return new UserError("NOT_ALLOWED", `${name} may not ${what}`);
}
