import { Command } from "commander";
import type { KeySummary } from "../../names/account.ts";
import { expectAccountName } from "../../names/names.ts";
import { withExamples } from "../examples.ts";
import { jsonFlag } from "../flags.ts";
import { readInput } from "../input.ts";
import { askServer } from "../ask.ts";
import { printList, shortTime, type Columns } from "../table.ts";

export function makeCommand(): Command {
  const command = new Command("key").description(
    "Let public keys in over SSH: each belongs to one account.",
  );
  command.addCommand(addCommand()).addCommand(removeCommand()).addCommand(listCommand());
  return withExamples(
    command,
    "reeve key add ada < id_ed25519.pub",
    "reeve key add ada ssh-ed25519 AAAAC3… ada@laptop",
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
    .argument("<fingerprint>", "as `reeve key list` shows it")
    .action(async (fingerprint: string) => {
      await askServer("removeKey", { fingerprint });
      console.log(`${fingerprint} is let in no more.`);
    });
}

function listCommand(): Command {
  return new Command("list")
    .description("List the keys, of one account or of all.")
    .argument("[account]", "whose", expectAccountName)
    .addOption(jsonFlag())
    .action(async (account: string | undefined, { json }: { json?: boolean }) => {
      printList(await askServer("keys", { account }), columns, { json });
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
