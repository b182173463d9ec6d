import { Command } from "commander";
import type { KeySummary } from "../../names/account.ts";
import { expectAccountName } from "../../names/names.ts";
import { withExamples } from "../examples.ts";
import { accountFlag } from "../flags.ts";
import { readInput } from "../input.ts";
import { askServer } from "../ask.ts";
import { nounCommand } from "../noun.ts";
import { printList, shortTime, type Columns } from "../table.ts";

export function makeCommand(): Command {
  const command = nounCommand("keys", [addCommand(), removeCommand()])
    .description(
      "List the public keys that are let in over SSH, or let one in: each belongs to one account.",
    )
    .addOption(accountFlag())
    .action(async ({ account, json }: { account?: string; json?: boolean }) => {
      printList(await askServer("keys", { account }), columns, { json });
    });
  return withExamples(
    command,
    "reeve keys --account ada",
    "reeve keys add ada < id_ed25519.pub",
    "reeve keys add ada ssh-ed25519 AAAAC3… ada@laptop",
  );
}

function addCommand(): Command {
  return new Command("add")
    .description("Let a public key in. Without KEY it is read from standard input.")
    .argument("<account>", "whose it is", expectAccountName)
    .argument("[key...]", "the line of a .pub file")
    .action(async (account: string, words: string[]) => {
      const key = words.length > 0 ? words.join(" ") : await readInput();
      const { fingerprint } = await askServer("addKey", { account, key });
      console.log(`${fingerprint} is a key of ${account}.`);
    });
}

function removeCommand(): Command {
  return new Command("remove")
    .description("Let a key in no more.")
    .argument("<fingerprint>", "as `reeve keys` shows it")
    .action(async (fingerprint: string) => {
      await askServer("removeKey", { fingerprint });
      console.log(`${fingerprint} is let in no more.`);
    });
}

const columns: Columns<KeySummary> = {
  FINGERPRINT: ({ fingerprint }) => fingerprint,
  ACCOUNT: ({ account }) => account,
  TYPE: ({ type }) => type,
  COMMENT: ({ comment }) => comment,
  MADE: ({ createdAt }) => shortTime(createdAt),
  "LAST USED": ({ usedAt }) => shortTime(usedAt),
};
