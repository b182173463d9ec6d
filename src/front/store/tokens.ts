import type { TokenSummary } from "../../names/account.ts";
import { now, text, type Sqlite } from "../../system/sqlite.ts";
import { noteUse } from "./uses.ts";

export class Tokens {
  readonly #database: Sqlite;

  constructor(database: Sqlite) {
    this.#database = database;
  }

  add(token: {
    account: string;
    digest: string;
    note: string | null;
    expiresAt: string | null;
  }): number {
    const { account, digest, note, expiresAt } = token;
    const result = this.#database.run(
      "INSERT INTO token (account, digest, note, created_at, expires_at) VALUES (?, ?, ?, ?, ?)",
      account,
      digest,
      note,
      now(),
      expiresAt,
    );
    return Number(result.lastInsertRowid);
  }

  /** One that has not expired. */
  byDigest(digest: string): { id: number; account: string; digest: string } | undefined {
    const row = this.#database.get(
      "SELECT id, account, digest FROM token WHERE digest = ? AND (expires_at IS NULL OR expires_at > ?)",
      digest,
      now(),
    );
    return (
      row && {
        id: Number(row["id"]),
        account: text(row["account"]),
        digest: text(row["digest"]),
      }
    );
  }

  has(id: number): boolean {
    return (
      this.#database.get(
        "SELECT id FROM token WHERE id = ? AND (expires_at IS NULL OR expires_at > ?)",
        id,
        now(),
      ) !== undefined
    );
  }

  all(account?: string): TokenSummary[] {
    return this.#database
      .all(
        `SELECT id, account, note, created_at, expires_at, used_at FROM token
         WHERE account = coalesce(?, account) ORDER BY account, id`,
        account ?? null,
      )
      .map((row) => ({
        id: Number(row["id"]),
        account: text(row["account"]),
        note: row["note"] as string | null,
        createdAt: text(row["created_at"]),
        expiresAt: row["expires_at"] as string | null,
        usedAt: row["used_at"] as string | null,
      }));
  }

  /** Whether there was one. */
  remove(id: number): boolean {
    return this.#database.run("DELETE FROM token WHERE id = ?", id).changes > 0;
  }

  used(id: number): void {
    noteUse(this.#database, "token", "id", id);
  }
}
