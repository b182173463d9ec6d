import { UserError } from "../../errors.ts";
import { makeToken } from "../accounts/credentials.ts";
import type { Commands, CommandWorld } from "./command.ts";
import { expectAccount } from "./expect-account.ts";

const day = 86_400_000;

export function tokenCommands({
  store,
}: Pick<CommandWorld, "store">): Commands<"tokens" | "createToken" | "revokeToken"> {
  return {
    tokens: { run: ({ account }) => store.tokens.all(account) },
    createToken: {
      run: ({ account, days, note }) => {
        expectAccount(store, account);
        const { token, digest } = makeToken();
        const expiresAt =
          days === undefined ? null : new Date(Date.now() + days * day).toISOString();
        const id = store.tokens.add({ account, digest, note: note ?? null, expiresAt });
        return { id, token, expiresAt };
      },
      record: ({ account }) => account,
    },
    revokeToken: {
      run: ({ id }) => {
        if (!store.tokens.remove(id))
          throw new UserError("TOKEN_UNKNOWN", `there is no token ${id}`);
      },
      record: ({ id }) => String(id),
    },
  };
}
