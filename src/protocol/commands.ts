import { z } from "zod";
import type {
  AccountSummary,
  AuditRecord,
  KeySummary,
  PastRight,
  TokenSummary,
} from "../names/account.ts";
import { accountName, appName, rightNames, type Right } from "../names/names.ts";
import { agentVerbs } from "./agent-verbs.ts";
import { app, instance, number, page, preview, release } from "./fields.ts";
import { readings } from "./readings.ts";
import { asks, type ResponseOf, type RequestOf } from "./verb.ts";

const { apps, logs, create, setOptions, changeVariables, pinPreview } = agentVerbs;

const account = z.object({ account: accountName });
const someAccount = z.object({ account: accountName.optional() });
const rightName = z.enum(rightNames);

/** Everything that the front can be asked by a person, on the server itself or over SSH. */
export const commands = {
  ...readings,
  ...{ apps, logs, create, setOptions, changeVariables, pinPreview },
  destroy: asks(app).answers<null>(),
  removePreview: asks(preview).answers<null>(),

  rollback: asks(instance.extend({ release })).answers<null>(),
  redeploy: asks(instance).answers<null>(),
  rebuild: asks(instance).answers<null>(),
  cancel: asks(instance).answers<null>(),
  /** Answers whether anything had to be put right. */
  reconcile: asks(z.object({})).answers<boolean>(),

  accounts: asks(z.object({})).answers<AccountSummary[]>(),
  addAccount: asks(account.extend({ mayCreate: z.boolean() })).answers<null>(),
  changeAccount: asks(account.extend({ mayCreate: z.boolean() })).answers<null>(),
  removeAccount: asks(account).answers<null>(),
  tokens: asks(someAccount).answers<TokenSummary[]>(),
  createToken: asks(
    account.extend({
      days: z.int().positive().max(36_500).optional(),
      note: z.string().max(100).optional(),
    }),
  ).answers<{ id: number; token: string; expiresAt: string | null }>(),
  revokeToken: asks(z.object({ id: number })).answers<null>(),
  keys: asks(someAccount).answers<KeySummary[]>(),
  addKey: asks(account.extend({ key: z.string().max(20_000) })).answers<{ fingerprint: string }>(),
  removeKey: asks(z.object({ fingerprint: z.string().max(100) })).answers<null>(),
  grant: asks(account.extend({ app: appName, right: rightName })).answers<{
    before: Right | null;
    left: Right;
  }>(),
  revoke: asks(account.extend({ app: appName, right: rightName.optional() })).answers<{
    before: Right | null;
    left: Right | null;
  }>(),
  audit: asks(z.object(page)).answers<AuditRecord[]>(),
  rightsAt: asks(z.object({ time: z.iso.datetime() })).answers<PastRight[]>(),
};

export type CommandName = keyof typeof commands;
export type CommandRequest<N extends CommandName> = RequestOf<(typeof commands)[N]>;
export type CommandResponse<N extends CommandName> = ResponseOf<(typeof commands)[N]>;
