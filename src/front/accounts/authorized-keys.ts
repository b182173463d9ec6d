import { join } from "node:path";
import { programRoot } from "../../config/config.ts";
import type { Layout } from "../../config/layout.ts";
import { writeAtomically } from "../../system/files.ts";
import { Turns } from "../../system/turns.ts";
import type { PublicKey } from "../../names/account.ts";
import type { FrontStore } from "../store/store.ts";

/** What OpenSSH reads: every key that there is, and what runs for it whatever its owner asks for. */
export class AuthorizedKeys {
  readonly #layout: Layout;
  readonly #store: FrontStore;
  readonly #turns = new Turns();

  constructor(layout: Layout, store: FrontStore) {
    this.#layout = layout;
    this.#store = store;
  }

  /** Resolves when the file says what the store says. */
  write(): Promise<void> {
    const { authorizedKeys, controlSocket } = this.#layout;
    const program = join(programRoot, "hooks", "ssh");
    return this.#turns.run(authorizedKeys, () => {
      const lines = this.#store.keys
        .all()
        .map((key) => authorizedKey(key, [program, controlSocket, key.fingerprint]));
      return writeAtomically(authorizedKeys, lines.join(""), { mode: 0o600 });
    });
  }
}

/** One line, as sshd(8) describes them. The command is run by the login user's shell, hence the quotes. */
export function authorizedKey({ type, body }: PublicKey, command: string[]): string {
  const words = command.map((word) => `'${word.replaceAll("'", "'\\''")}'`).join(" ");
  return `restrict,command="exec ${words.replaceAll('"', '\\"')}" ${type} ${body}\n`;
}
