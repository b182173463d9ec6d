import { Command } from "commander";
import type { TokenSummary } from "../../names/account.ts";
import { expectAccountName } from "../../names/names.ts";
import { withExamples } from "../examples.ts";
import { accountFlag } from "../flags.ts";
import { wholeNumber } from "../input.ts";
import { askServer } from "../ask.ts";
import { nounCommand } from "../noun.ts";
import { printList, shortTime, type Columns } from "../table.ts";

export function makeCommand(): Command {
  const command = nounCommand("tokens", [createCommand(), revokeCommand()])
    .description(
      "List the tokens, never what they are, or give them out: what git gives as the password over HTTP.",
    )
    .addOption(accountFlag())
    .action(async ({ account, json }: { account?: string; json?: boolean }) => {
      printList(await askServer("tokens", { account }), columns, { json });
    });
  return withExamples(
    command,
    "reeve tokens --account ada",
    "reeve tokens create ada --days 90 --note laptop",
    "reeve tokens revoke 7",
  );
}

function createCommand(): Command {
  return new Command("create")
    .description("Make a token and print it, this once: only its hash is kept.")
    .argument("<account>", "whose it is", expectAccountName)
    .option("--days <number>", "after which it is worth nothing", wholeNumber)
    .option("--note <text>", "what it is for")
    .action(async (account: string, { days, note }: { days?: number; note?: string }) => {
      const made = await askServer("createToken", { account, days, note });
      console.log(made.token);
      // Beside the token, so that a program reads nothing but it.
      console.error(
        `token ${made.id} of ${account}${made.expiresAt ? `, until ${shortTime(made.expiresAt) ?? ""}` : ""}; it is not shown again. git asks for it as the password`,
      );
    });
}

function revokeCommand(): Command {
  return new Command("revoke")
    .description("Take a token back. It is worth nothing from now on.")
    .argument("<number>", "as `reeve tokens` shows it", wholeNumber)
    .action(async (id: number) => {
      await askServer("revokeToken", { id });
      console.log(`token ${id} is worth nothing any more.`);
    });
}

const columns: Columns<TokenSummary> = {
  NO: ({ id }) => id,
  ACCOUNT: ({ account }) => account,
  NOTE: ({ note }) => note,
  MADE: ({ createdAt }) => shortTime(createdAt),
  EXPIRES: ({ expiresAt }) => (expiresAt === null ? "never" : shortTime(expiresAt)),
  "LAST USED": ({ usedAt }) => shortTime(usedAt),
};
