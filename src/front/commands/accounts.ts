import { UserError } from "../../errors.ts";
import type { FrontStore } from "../store/store.ts";
import type { Commands, CommandWorld } from "./command.ts";
import { expectAccount } from "./expect-account.ts";
import { leaveOutKeys } from "./keys.ts";

export function accountCommands(
  world: Pick<CommandWorld, "store" | "authorizedKeys" | "log">,
): Commands<"accounts" | "addAccount" | "changeAccount" | "removeAccount"> {
  const { store } = world;
  return {
    accounts: { run: () => store.accounts.all() },
    addAccount: {
      run: ({ account, mayCreate }) => {
        if (!store.accounts.add(account, mayCreate))
          throw new UserError("ACCOUNT_EXISTS", `there is an account ${account} already`);
      },
      record: ({ account, mayCreate }) => `${account}${mayCreate ? ", may create apps" : ""}`,
    },
    changeAccount: {
      run: ({ account, mayCreate }) => {
        expectOther(store, account);
        store.accounts.change(account, mayCreate);
      },
      record: ({ account, mayCreate }) => `${account} ${mayCreate ? "may" : "may not"} create apps`,
    },
    removeAccount: {
      run: async ({ account }) => {
        expectOther(store, account);
        store.accounts.remove(account);
        await leaveOutKeys(world);
      },
      record: ({ account }) => account,
    },
  };
}

/** The administrator stays what it is: somebody has to be able to mend everything. */
function expectOther(store: FrontStore, name: string): void {
  expectAccount(store, name);
  if (store.accounts.get(name)?.administrator)
    throw new UserError("NOT_ALLOWED", `${name} is the administrator and stays that`, {
      hint: "Its tokens and keys can be taken back: reeve tokens, reeve keys",
    });
}
