import { UserError } from "../../errors.ts";
import type { FrontStore } from "../store/store.ts";

export function expectAccount(store: FrontStore, name: string): void {
  if (!store.accounts.get(name))
    throw new UserError("ACCOUNT_UNKNOWN", `there is no account ${name}`);
}
