import { Command } from "commander";
import type { AccountSummary } from "../../names/account.ts";
import { expectAccountName } from "../../names/names.ts";
import { withExamples } from "../examples.ts";
import { askServer } from "../ask.ts";
import { nounCommand } from "../noun.ts";
import { printList, shortTime, type Columns } from "../table.ts";

export function makeCommand(): Command {
  const command = nounCommand("accounts", [addCommand(), changeCommand(), removeCommand()])
    .description(
      "List the accounts, with what each may do, or say who there is: an account has tokens and keys that prove it, and rights in apps.",
    )
    .action(async ({ json }: { json?: boolean }) => {
      printList(await askServer("accounts", {}), columns, { json });
    });
  return withExamples(command, "reeve accounts", "reeve accounts add ada --may-create");
}

function addCommand(): Command {
  return new Command("add")
    .description("Make an account. It has no token, no key and no rights yet.")
    .argument("<account>", "its name", expectAccountName)
    .option("--may-create", "it may create apps, whose admin it then is", false)
    .action(async (account: string, { mayCreate }: { mayCreate: boolean }) => {
      await askServer("addAccount", { account, mayCreate });
      console.log(
        `${account} is there. Next: reeve tokens create ${account}, and reeve grant ${account} APP RIGHT`,
      );
    });
}

function changeCommand(): Command {
  return new Command("change")
    .description("Say anew whether an account may create apps.")
    .argument("<account>", "its name", expectAccountName)
    .requiredOption("--may-create", "it may create apps")
    .option("--no-may-create", "it may not")
    .action(async (account: string, { mayCreate }: { mayCreate: boolean }) => {
      await askServer("changeAccount", { account, mayCreate });
      console.log(`${account} ${mayCreate ? "may" : "may not"} create apps.`);
    });
}

function removeCommand(): Command {
  return new Command("remove")
    .description("Remove an account with its tokens, keys and rights. Its apps stay on the air.")
    .argument("<account>", "its name", expectAccountName)
    .action(async (account: string) => {
      await askServer("removeAccount", { account });
      console.log(`${account} is gone, with its tokens, keys and rights.`);
    });
}

const columns: Columns<AccountSummary> = {
  ACCOUNT: ({ name }) => name,
  TOKENS: ({ tokens }) => tokens,
  KEYS: ({ keys }) => keys,
  CREATES: ({ administrator, mayCreate }) => (administrator || mayCreate ? "yes" : "no"),
  RIGHTS: ({ administrator, rights }) =>
    administrator
      ? "everything"
      : rights.map(({ app, right }) => `${app}: ${right}`).join(", ") || null,
  MADE: ({ createdAt }) => shortTime(createdAt),
};
