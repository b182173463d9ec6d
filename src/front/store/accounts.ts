import type { Account, AccountSummary } from "../../names/account.ts";
import { now, text, type Row, type Sqlite } from "../../system/sqlite.ts";
import type { Rights } from "./rights.ts";

export class Accounts {
  readonly #database: Sqlite;
  readonly #rights: Rights;

  constructor(database: Sqlite, rights: Rights) {
    this.#database = database;
    this.#rights = rights;
  }

  get(name: string): Account | undefined {
    const row = this.#database.get(
      "SELECT name, administrator, may_create FROM account WHERE name = ?",
      name,
    );
    return row && toAccount(row);
  }

  all(): AccountSummary[] {
    return this.#database
      .all(
        `SELECT name, administrator, may_create, created_at, (SELECT count(*) FROM token WHERE account = name) AS tokens,
           (SELECT count(*) FROM key WHERE account = name) AS keys FROM account ORDER BY name`,
      )
      .map((row) => ({
        ...toAccount(row),
        createdAt: text(row["created_at"]),
        tokens: Number(row["tokens"]),
        keys: Number(row["keys"]),
        rights: this.#rights.all(text(row["name"])),
      }));
  }

  /** Whether there was none of that name. */
  add(name: string, mayCreate: boolean): boolean {
    const result = this.#database.run(
      "INSERT INTO account (name, may_create, created_at) VALUES (?, ?, ?) ON CONFLICT DO NOTHING",
      name,
      mayCreate ? 1 : 0,
      now(),
    );
    return result.changes > 0;
  }

  change(name: string, mayCreate: boolean): void {
    this.#database.run("UPDATE account SET may_create = ? WHERE name = ?", mayCreate ? 1 : 0, name);
  }

  /** Its tokens, keys and rights go with it. */
  remove(name: string): void {
    this.#database.run("DELETE FROM account WHERE name = ?", name);
  }
}

function toAccount(row: Row): Account {
  return {
    name: text(row["name"]),
    administrator: row["administrator"] === 1,
    mayCreate: row["may_create"] === 1,
  };
}
