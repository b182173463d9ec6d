import { now, text, type Sqlite } from "../../system/sqlite.ts";

const day = 86_400_000;

/** Which account has made which app. */
export class MadeApps {
  readonly #database: Sqlite;

  constructor(database: Sqlite) {
    this.#database = database;
  }

  /** How many apps an account has made: those that there are, and those of the last day. */
  countOf(account: string): number {
    const row = this.#database.get(
      "SELECT count(*) AS made FROM made_app WHERE account = ? AND (gone_at IS NULL OR made_at > ?)",
      account,
      new Date(Date.now() - day).toISOString(),
    );
    return Number(row?.["made"]);
  }

  add(app: string, account: string, byPush: boolean): void {
    this.#database.run(
      "DELETE FROM made_app WHERE account = ? AND gone_at IS NOT NULL AND made_at <= ?",
      account,
      new Date(Date.now() - day).toISOString(),
    );
    this.#database.run(
      "INSERT INTO made_app (app, account, by_push, made_at) VALUES (?, ?, ?, ?)",
      app,
      account,
      byPush ? 1 : 0,
      now(),
    );
  }

  /** Of those that a push has made, and that nobody has told to stay. */
  byPush(): string[] {
    return this.#database
      .all("SELECT app FROM made_app WHERE by_push = 1 AND gone_at IS NULL")
      .map((row) => text(row["app"]));
  }

  /** The push that made it has brought something. */
  keep(app: string): void {
    this.#database.run("UPDATE made_app SET by_push = 0 WHERE app = ? AND gone_at IS NULL", app);
  }

  forget(app: string): void {
    this.#database.run(
      "UPDATE made_app SET gone_at = ? WHERE app = ? AND gone_at IS NULL",
      now(),
      app,
    );
  }

  unmake(app: string): void {
    this.#database.run("DELETE FROM made_app WHERE app = ? AND gone_at IS NULL", app);
  }
}
