import { Command } from "commander";
import { expectAccountName } from "../../names/names.ts";
import { withExamples } from "../examples.ts";
import { askServer } from "../ask.ts";
import { printJson, shortTime, table } from "../table.ts";

export function makeCommand(): Command {
  const command = new Command("account").description(
    "Say who there is: an account has tokens and keys that prove it, and rights in apps.",
  );
  command.addCommand(addCommand()).addCommand(changeCommand());
  command.addCommand(removeCommand()).addCommand(listCommand());
  return withExamples(command, "reeve account add ada --may-create", "reeve account list");
}

function addCommand(): Command {
  return new Command("add")
    .description("Make an account. It has no token, no key and no rights yet.")
    .argument("<account>", "its name", expectAccountName)
    .option("--may-create", "it may create apps, whose admin it then is", false)
    .action(async (account: string, { mayCreate }: { mayCreate: boolean }) => {
      await askServer("addAccount", { account, mayCreate });
      console.log(
        `${account} is there. Next: reeve token create ${account}, and reeve grant ${account} APP RIGHT`,
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

function listCommand(): Command {
  return new Command("list")
    .description("List the accounts, with what each may do.")
    .option("--json", "for programs")
    .action(async ({ json }: { json?: boolean }) => {
      const accounts = await askServer("accounts", {});
      if (json) {
        printJson(accounts);
        return;
      }
      const rows = accounts.map((account) => [
        account.name,
        account.tokens,
        account.keys,
        account.administrator || account.mayCreate ? "yes" : "no",
        account.administrator
          ? "everything"
          : account.rights.map(({ app, right }) => `${app}: ${right}`).join(", ") || null,
        shortTime(account.createdAt),
      ]);
      console.log(table(["ACCOUNT", "TOKENS", "KEYS", "CREATES", "RIGHTS", "MADE"], rows));
    });
}
