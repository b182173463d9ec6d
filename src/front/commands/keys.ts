import { z } from "zod";
import { UserError } from "../../errors.ts";
import { parsePublicKey } from "../accounts/public-key.ts";
import type { Commands, CommandWorld } from "./command.ts";
import { expectAccount } from "./expect-account.ts";

const fingerprint = z.string().regex(/^SHA256:[A-Za-z0-9+/]{43}$/, "is not a key's fingerprint");

type KeyWorld = Pick<CommandWorld, "store" | "authorizedKeys" | "log">;

export function keyCommands(world: KeyWorld): Commands<"keys" | "addKey" | "removeKey"> {
  const { store, authorizedKeys } = world;
  return {
    keys: { run: ({ account }) => store.keys.all(account) },
    addKey: {
      run: async ({ account, key: given }) => {
        expectAccount(store, account);
        const key = parsePublicKey(given);
        if (!store.keys.add(account, key)) {
          const owner = store.keys.get(key.fingerprint)?.account ?? "another account";
          throw new UserError("KEY_TAKEN", `this key belongs to ${owner} already`);
        }
        try {
          await authorizedKeys.write();
        } catch (error) {
          // Whoever writes the file next would let in what was refused.
          store.keys.remove(key.fingerprint);
          throw error;
        }
        return { fingerprint: key.fingerprint };
      },
      record: ({ account }) => account,
    },
    removeKey: {
      run: async ({ fingerprint: given }) => {
        if (!fingerprint.safeParse(given).success || !store.keys.remove(given))
          throw new UserError("KEY_UNKNOWN", `there is no key ${JSON.stringify(given)}`);
        await leaveOutKeys(world);
      },
      record: ({ fingerprint: given }) => given,
    },
  };
}

/**
 * What was taken back is so, whatever becomes of the file that sshd reads: the front lets nobody in by it. It is written
 * again with the next change, and at the start.
 */
export async function leaveOutKeys({ authorizedKeys, log }: KeyWorld): Promise<void> {
  await authorizedKeys.write().catch((error: unknown) => {
    log.error({ err: error }, "could not write down which keys sshd lets in");
  });
}
