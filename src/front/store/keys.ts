import type { KeySummary, PublicKey } from "../../names/account.ts";
import { now, text, type Row, type Sqlite } from "../../system/sqlite.ts";
import { noteUse } from "./uses.ts";

const ofKey = "fingerprint, account, type, body, comment, created_at, used_at";

export class Keys {
  readonly #database: Sqlite;

  constructor(database: Sqlite) {
    this.#database = database;
  }

  /** Whether nobody had it. */
  add(account: string, { fingerprint, type, body, comment }: PublicKey): boolean {
    const result = this.#database.run(
      `INSERT INTO key (fingerprint, account, type, body, comment, created_at)
       VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING`,
      fingerprint,
      account,
      type,
      body,
      comment,
      now(),
    );
    return result.changes > 0;
  }

  get(fingerprint: string): KeySummary | undefined {
    const row = this.#database.get(`SELECT ${ofKey} FROM key WHERE fingerprint = ?`, fingerprint);
    return row && toKey(row);
  }

  all(account?: string): KeySummary[] {
    return this.#database
      .all(
        `SELECT ${ofKey} FROM key WHERE account = coalesce(?, account) ORDER BY account, created_at`,
        account ?? null,
      )
      .map(toKey);
  }

  remove(fingerprint: string): boolean {
    return this.#database.run("DELETE FROM key WHERE fingerprint = ?", fingerprint).changes > 0;
  }

  used(fingerprint: string): void {
    noteUse(this.#database, "key", "fingerprint", fingerprint);
  }
}

function toKey(row: Row): KeySummary {
  return {
    fingerprint: text(row["fingerprint"]),
    account: text(row["account"]),
    type: text(row["type"]),
    body: text(row["body"]),
    comment: row["comment"] as string | null,
    createdAt: text(row["created_at"]),
    usedAt: row["used_at"] as string | null,
  };
}
