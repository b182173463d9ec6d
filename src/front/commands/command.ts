import type { Logger } from "pino";
import type { z } from "zod";
import type { AuditEntry } from "../../app/account.ts";
import { asUserError, UserError } from "../../errors.ts";
import { withoutCredentials } from "../../host/credentials.ts";
import type { Exchange, Verb } from "../../protocol/channel.ts";
import {
  commands,
  type CommandAnswer,
  type CommandName,
  type CommandQuestion,
} from "../../protocol/commands.ts";
import type { DeployWorld } from "../../push/deploys.ts";
import type { Caller, FrontStore } from "../../store/front/store.ts";
import type { AppMaker } from "../app-maker.ts";
import type { AuthorizedKeys } from "../authorized-keys.ts";
import type { Credentials } from "../credentials.ts";
import type { Repositories } from "../repositories.ts";
import { localAdministrator, type Action, type Rights } from "../rights.ts";

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

export interface Command<Question, Answer> {
  /** What the right is to, and what the audit log calls it, where that depends on what is asked: else its own name. */
  action?: (question: Question) => Action;
  run: (question: Question, asked: Asked) => Answer | Promise<Answer>;
  /** Of what changes something: what of it stands in the audit log, or false where nothing has changed. */
  record?: (question: Question, answer?: Answer) => string | undefined | false;
}

export type Commands<N extends CommandName = CommandName> = {
  [One in N]: Command<CommandQuestion<One>, CommandAnswer<One>>;
};

/** Whoever asks is found out and judged; only then the command runs, and what came of it is written down. */
export function judged<N extends CommandName>(
  judging: Judging,
  name: N,
  { action: actionOf, run, record }: Commands[N],
): Verb<CommandQuestion<N>, CommandAnswer<N>> {
  const { rights, store } = judging;
  return {
    input: commands[name].input as unknown as z.ZodType<CommandQuestion<N>>,
    run: async (question, exchange) => {
      const caller = callerOf(judging, exchange);
      const action = actionOf?.(question) ?? name;
      const app = appOf(question);
      const judge = (): void => rights.expect(caller, action, app);
      judge();
      const { account, via } = caller;
      const write = (outcome: AuditEntry["outcome"], detail: string | undefined): void =>
        store.audit.write({
          ...{ account, via, action, app, outcome },
          // Whatever was typed where an address can be may hold a password.
          detail: detail && withoutCredentials(detail),
        });
      const work = async (): Promise<CommandAnswer<N>> =>
        await run(question, { caller, exchange, judge });
      const answer = await work().catch((error: unknown) => {
        const told = asUserError(error);
        if (record && !rights.hasWritten(told))
          write("refused", `${record(question) || action}: ${told.code}`);
        throw error;
      });
      // It is done, also where that cannot be written down.
      const detail = record?.(question, answer);
      if (record && detail !== false) write("done", detail);
      return answer;
    },
  };
}

function appOf(question: object): string | undefined {
  return "app" in question ? String(question.app) : undefined;
}

function callerOf({ credentials }: Judging, { key }: Exchange): Caller {
  if (key === undefined) return localAdministrator;
  const caller = credentials.byKey(key);
  if (!caller) throw new UserError("NOT_ALLOWED", "this key was taken back");
  return caller;
}
