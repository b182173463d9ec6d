import type { Logger } from "pino";
import { z } from "zod";
import { accountName, appName, rightNames, type Right } from "../app/names.ts";
import { UserError } from "../errors.ts";
import type { AccountSummary } from "../store/front/accounts.ts";
import type { AuditRecord, PastRight } from "../store/front/audit.ts";
import type { KeySummary } from "../store/front/keys.ts";
import type { FrontStore } from "../store/front/store.ts";
import type { TokenSummary } from "../store/front/tokens.ts";
import type { AuthorizedKeys } from "./authorized-keys.ts";
import { makeToken } from "./credentials.ts";
import { parsePublicKey } from "./public-key.ts";
import type { Repositories } from "./repositories.ts";
import type { Action } from "./rights.ts";

const account = z.object({ account: accountName });
const someAccount = z.object({ account: accountName.optional() });
const rightName = z.enum(rightNames);
const fingerprint = z.string().regex(/^SHA256:[A-Za-z0-9+/]{43}$/, "is not a key's fingerprint");

/** What can be asked about accounts, with the fields of each. */
export const accountQuestions = {
  accounts: z.object({}),
  addAccount: account.extend({ mayCreate: z.boolean() }),
  changeAccount: account.extend({ mayCreate: z.boolean() }),
  removeAccount: account,
  tokens: someAccount,
  createToken: account.extend({
    days: z.int().positive().max(36_500).optional(),
    note: z.string().max(100).optional(),
  }),
  revokeToken: z.object({ id: z.int().positive() }),
  keys: someAccount,
  addKey: account.extend({ key: z.string().max(20_000) }),
  removeKey: z.object({ fingerprint: z.string().max(100) }),
  grant: account.extend({ app: appName, right: rightName }),
  revoke: account.extend({ app: appName, right: rightName.optional() }),
  audit: z.object({
    limit: z.int().positive().max(100_000),
    before: z.int().positive().optional(),
  }),
  rightsAt: z.object({ time: z.iso.datetime() }),
} satisfies Partial<Record<Action, z.ZodType>>;

export type AccountVerb = keyof typeof accountQuestions;
export type AccountQuestion<N extends AccountVerb> = z.infer<(typeof accountQuestions)[N]>;

export interface AccountAnswers extends Record<AccountVerb, unknown> {
  accounts: AccountSummary[];
  addAccount: null;
  changeAccount: null;
  removeAccount: null;
  tokens: TokenSummary[];
  createToken: { id: number; token: string; expiresAt: string | null };
  revokeToken: null;
  keys: KeySummary[];
  addKey: { fingerprint: string };
  removeKey: null;
  grant: { before: Right | null; left: Right };
  revoke: { before: Right | null; left: Right | null };
  audit: AuditRecord[];
  rightsAt: PastRight[];
}

export interface AccountWorld {
  store: FrontStore;
  authorizedKeys: AuthorizedKeys;
  repositories: Repositories;
  log: Logger;
}

export type AccountVerbs = {
  [N in AccountVerb]: (
    question: AccountQuestion<N>,
  ) => AccountAnswers[N] | Promise<AccountAnswers[N]>;
};

/** Accounts, what proves them, and what they may do. Whether somebody may ask was judged before. */
export function accountVerbs(world: AccountWorld): AccountVerbs {
  return { ...accountsThemselves(world), ...tokens(world), ...keys(world), ...rights(world) };
}

type Part<N extends AccountVerb> = Pick<AccountVerbs, N>;

function accountsThemselves(
  world: AccountWorld,
): Part<"accounts" | "addAccount" | "changeAccount" | "removeAccount"> {
  const { store } = world;
  return {
    accounts: () => store.accounts.all(),
    addAccount: ({ account: name, mayCreate }) => {
      if (!store.accounts.add(name, mayCreate))
        throw new UserError("ACCOUNT_EXISTS", `there is an account ${name} already`);
      return null;
    },
    changeAccount: ({ account: name, mayCreate }) => {
      expectOther(store, name);
      store.accounts.change(name, mayCreate);
      return null;
    },
    removeAccount: async ({ account: name }) => {
      expectOther(store, name);
      store.accounts.remove(name);
      await leaveOutKeys(world);
      return null;
    },
  };
}

const day = 86_400_000;

function tokens({ store }: AccountWorld): Part<"tokens" | "createToken" | "revokeToken"> {
  return {
    tokens: ({ account: name }) => store.tokens.all(name),
    createToken: ({ account: name, days, note }) => {
      expectAccount(store, name);
      const { token, digest } = makeToken();
      const expiresAt = days === undefined ? null : new Date(Date.now() + days * day).toISOString();
      const id = store.tokens.add({ account: name, digest, note: note ?? null, expiresAt });
      return { id, token, expiresAt };
    },
    revokeToken: ({ id }) => {
      if (!store.tokens.remove(id)) throw new UserError("TOKEN_UNKNOWN", `there is no token ${id}`);
      return null;
    },
  };
}

function keys(world: AccountWorld): Part<"keys" | "addKey" | "removeKey"> {
  const { store, authorizedKeys } = world;
  return {
    keys: ({ account: name }) => store.keys.all(name),
    addKey: async ({ account: name, key: given }) => {
      expectAccount(store, name);
      const key = parsePublicKey(given);
      if (!store.keys.add(name, key)) {
        const owner = store.keys.get(key.fingerprint)?.account ?? "another account";
        throw new UserError("KEY_TAKEN", `this key belongs to ${owner} already`);
      }
      try {
        await authorizedKeys.write();
      } catch (error) {
        // Whoever writes the file next would let in what was refused.
        store.keys.remove(key.fingerprint);
        throw error;
      }
      return { fingerprint: key.fingerprint };
    },
    removeKey: async ({ fingerprint: given }) => {
      if (!fingerprint.safeParse(given).success || !store.keys.remove(given))
        throw new UserError("KEY_UNKNOWN", `there is no key ${JSON.stringify(given)}`);
      await leaveOutKeys(world);
      return null;
    },
  };
}

/**
 * What was taken back is so, whatever becomes of the file that sshd reads: the front lets nobody in by it. It is written
 * again with the next change, and at the start.
 */
async function leaveOutKeys({ authorizedKeys, log }: AccountWorld): Promise<void> {
  await authorizedKeys.write().catch((error: unknown) => {
    log.error({ err: error }, "could not write down which keys sshd lets in");
  });
}

function rights({
  store,
  repositories,
}: AccountWorld): Part<"grant" | "revoke" | "audit" | "rightsAt"> {
  return {
    grant: async ({ account: name, app, right }) => {
      expectAccount(store, name);
      if (!(await repositories.has(app)))
        throw new UserError("APP_UNKNOWN", `there is no app ${app}`);
      const before = store.rights.of(name, app) ?? null;
      const isMore = before === null || rank(before) < rank(right);
      if (isMore) store.rights.set(name, app, right);
      return { before, left: isMore ? right : before };
    },
    revoke: ({ account: name, app, right }) => {
      expectAccount(store, name);
      const has = store.rights.of(name, app);
      if (!has) return { before: null, left: null };
      // What is taken back is the right and those above it; the one below stays.
      const left = right && rightNames[Math.min(rank(has), rank(right) - 1)];
      store.rights.set(name, app, left);
      return { before: has, left: left ?? null };
    },
    audit: ({ limit, before }) => store.audit.entries(Math.min(limit, longestPage), before),
    rightsAt: ({ time }) => {
      const from = store.audit.rightsKnownFrom();
      const at = new Date(time).toISOString();
      if (at < from)
        throw new UserError("TIME_UNKNOWN", `who had which right is known from ${from} on`);
      return store.audit.rightsAt(at);
    },
  };
}

/** Rows of one answer: whoever wants more asks again, from the last one on. */
const longestPage = 500;

function rank(right: Right): number {
  return rightNames.indexOf(right);
}

function expectAccount(store: FrontStore, name: string): void {
  if (!store.accounts.get(name))
    throw new UserError("ACCOUNT_UNKNOWN", `there is no account ${name}`);
}

/** The administrator stays what it is: somebody has to be able to mend everything. */
function expectOther(store: FrontStore, name: string): void {
  expectAccount(store, name);
  if (store.accounts.get(name)?.administrator)
    throw new UserError("NOT_ALLOWED", `${name} is the administrator and stays that`, {
      hint: "Its tokens and keys can be taken back: reeve token list, reeve key list",
    });
}
