import type { Right } from "../../names/names.ts";
import { text, type Sqlite } from "../../system/sqlite.ts";

/** What accounts may do in apps. */
export class Rights {
  readonly #database: Sqlite;

  constructor(database: Sqlite) {
    this.#database = database;
  }

  of(account: string, app: string): Right | undefined {
    const row = this.#database.get(
      "SELECT level FROM app_right WHERE account = ? AND app = ?",
      account,
      app,
    );
    return row && (text(row["level"]) as Right);
  }

  all(account: string): { app: string; right: Right }[] {
    return this.#database
      .all("SELECT app, level FROM app_right WHERE account = ? ORDER BY app", account)
      .map((row) => ({
        app: text(row["app"]),
        right: text(row["level"]) as Right,
      }));
  }

  set(account: string, app: string, right: Right | undefined): void {
    if (right === undefined) {
      this.#database.run("DELETE FROM app_right WHERE account = ? AND app = ?", account, app);
      return;
    }
    this.#database.run(
      `INSERT INTO app_right (account, app, level) VALUES (?, ?, ?)
       ON CONFLICT (account, app) DO UPDATE SET level = excluded.level`,
      account,
      app,
      right,
    );
  }

  forgetApp(app: string): void {
    this.#database.run("DELETE FROM app_right WHERE app = ?", app);
  }
}
