import type { Logger } from "pino";
import type { z } from "zod";
import type { AuditEntry } from "../../names/account.ts";
import { asUserError, UserError } from "../../errors.ts";
import { withoutCredentials } from "../../system/credentials.ts";
import type { Exchange, Verb } from "../../protocol/channel.ts";
import {
  commands,
  type CommandResponse,
  type CommandName,
  type CommandRequest,
} from "../../protocol/commands.ts";
import type { DeployWorld } from "../push/deploys.ts";
import type { Caller, FrontStore } from "../store/store.ts";
import type { AppMaker } from "../repositories/app-maker.ts";
import type { AuthorizedKeys } from "../accounts/authorized-keys.ts";
import type { Credentials } from "../accounts/credentials.ts";
import type { Repositories } from "../repositories/repositories.ts";
import { localAdministrator, type Action, type Rights } from "../accounts/rights.ts";

/** What every command needs, whatever it does. */
interface Judging {
  credentials: Credentials;
  rights: Rights;
  store: FrontStore;
}

export interface CommandWorld extends Judging, DeployWorld {
  apps: AppMaker;
  repositories: Repositories;
  authorizedKeys: AuthorizedKeys;
  log: Logger;
}

/** Who asks, and how to answer. */
export interface Asked {
  caller: Caller;
  exchange: Exchange;
  /** The same right once more, for who had to wait. */
  judge: () => void;
}

/** What a command returns: one whose answer is null need not say so. */
type Answer<Response> =
  Response | Promise<Response> | (null extends Response ? Promise<void> | undefined : never);

export interface Command<Request, Response> {
  /** What the right is to, and what the audit log calls it, where that depends on what is asked: else its own name. */
  action?: (request: Request) => Action;
  run: (request: Request, asked: Asked) => Answer<Response>;
  /** Of what changes something: what of it stands in the audit log, or false where nothing has changed. */
  record?: (request: Request, answer?: Response) => string | undefined | false;
}

export type Commands<N extends CommandName = CommandName> = {
  [One in N]: Command<CommandRequest<One>, CommandResponse<One>>;
};

/** Whoever asks is found out and judged; only then the command runs, and what came of it is written down. */
export function judged<N extends CommandName>(
  judging: Judging,
  name: N,
  { action: actionOf, run, record }: Commands[N],
): Verb<CommandRequest<N>, CommandResponse<N>> {
  const { rights, store } = judging;
  return {
    input: commands[name].input as unknown as z.ZodType<CommandRequest<N>>,
    run: async (request, exchange) => {
      const caller = callerOf(judging, exchange);
      const action = actionOf?.(request) ?? name;
      const app = appOf(request);
      const judge = (): void => rights.expect(caller, action, app);
      judge();
      const { account, via } = caller;
      const write = (outcome: AuditEntry["outcome"], detail: string | undefined): void =>
        store.audit.write({
          ...{ account, via, action, app, outcome },
          // Whatever was typed where an address can be may hold a password.
          detail: detail && withoutCredentials(detail),
        });
      const work = async (): Promise<CommandResponse<N>> =>
        ((await run(request, { caller, exchange, judge })) ?? null) as CommandResponse<N>;
      const answer = await work().catch((error: unknown) => {
        const told = asUserError(error);
        if (record && !rights.hasWritten(told))
          write("refused", `${record(request) || action}: ${told.code}`);
        throw error;
      });
      // It is done, also where that cannot be written down.
      const detail = record?.(request, answer);
      if (record && detail !== false) write("done", detail);
      return answer;
    },
  };
}

function appOf(request: object): string | undefined {
  return "app" in request ? String(request.app) : undefined;
}

function callerOf({ credentials }: Judging, { key }: Exchange): Caller {
  if (key === undefined) return localAdministrator;
  const caller = credentials.byKey(key);
  if (!caller) throw new UserError("NOT_ALLOWED", "this key was taken back");
  return caller;
}
