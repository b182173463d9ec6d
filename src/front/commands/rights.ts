import { rightNames, type Right } from "../../names/names.ts";
import { UserError } from "../../errors.ts";
import type { Commands, CommandWorld } from "./command.ts";
import { expectAccount } from "./expect-account.ts";

/** Who may do what in an app, and what stands of that, and of all else, in the audit log. */
export function rightCommands({
  store,
  repositories,
}: Pick<CommandWorld, "store" | "repositories">): Commands<
  "grant" | "revoke" | "audit" | "rightsAt"
> {
  return {
    grant: {
      run: async ({ account, app, right }) => {
        expectAccount(store, account);
        if (!(await repositories.has(app)))
          throw new UserError("APP_UNKNOWN", `there is no app ${app}`);
        const before = store.rights.of(account, app) ?? null;
        const isMore = before === null || rank(before) < rank(right);
        if (isMore) store.rights.set(account, app, right);
        return { before, left: isMore ? right : before };
      },
      record: ({ account, right }, answer) => hasChanged(answer) && `${account} ${right}`,
    },
    revoke: {
      run: ({ account, app, right }) => {
        expectAccount(store, account);
        const has = store.rights.of(account, app);
        if (!has) return { before: null, left: null };
        // What is taken back is the right and those above it; the one below stays.
        const left = right && rightNames[Math.min(rank(has), rank(right) - 1)];
        store.rights.set(account, app, left);
        return { before: has, left: left ?? null };
      },
      record: ({ account, right }, answer) =>
        hasChanged(answer) && `${account} ${right ?? "everything"}`,
    },
    audit: {
      run: ({ limit, before }) => store.audit.entries(Math.min(limit, longestPage), before),
    },
    rightsAt: {
      run: ({ time }) => {
        const from = store.audit.rightsKnownFrom();
        const at = new Date(time).toISOString();
        if (at < from)
          throw new UserError("TIME_UNKNOWN", `who had which right is known from ${from} on`);
        return store.audit.rightsAt(at);
      },
    },
  };
}

/** Nobody knows yet where there is no answer. */
function hasChanged(answer: { before: Right | null; left: Right | null } | undefined): boolean {
  return answer === undefined || answer.before !== answer.left;
}

/** Rows of one answer: whoever wants more asks again, from the last one on. */
const longestPage = 500;

function rank(right: Right): number {
  return rightNames.indexOf(right);
}
