import { now, text, type Sqlite } from "../../system/sqlite.ts";

export class Apps {
  readonly #database: Sqlite;

  constructor(database: Sqlite) {
    this.#database = database;
  }

  create(name: string): void {
    this.#database.run(
      "INSERT INTO app (name, created_at) VALUES (?, ?) ON CONFLICT DO NOTHING",
      name,
      now(),
    );
  }

  has(name: string): boolean {
    return this.#database.get("SELECT name FROM app WHERE name = ?", name) !== undefined;
  }

  /** From now on the app is on its way out, whatever comes between. */
  markDestroyed(name: string): void {
    this.#database.run("UPDATE app SET destroyed_at = ? WHERE name = ?", now(), name);
  }

  isDestroyed(name: string): boolean {
    return this.destroyed().includes(name);
  }

  destroyed(): string[] {
    return this.#database
      .all("SELECT name FROM app WHERE destroyed_at IS NOT NULL")
      .map((row) => text(row["name"]));
  }

  delete(name: string): void {
    this.#database.run("DELETE FROM app WHERE name = ?", name);
  }

  names(): string[] {
    return this.#database.all("SELECT name FROM app ORDER BY name").map((row) => text(row["name"]));
  }

  /** How often an environment of the app's was rebuilt; previews have their own rebuilds on top. */
  generation(app: string, ofPreviews: boolean): number {
    const row = this.#database.get(
      "SELECT generation, preview_generation FROM app WHERE name = ?",
      app,
    );
    const own = ofPreviews ? Number(row?.["preview_generation"] ?? 0) : 0;
    return Number(row?.["generation"] ?? 0) + own;
  }

  raiseGeneration(app: string, ofPreviews: boolean): void {
    const column = ofPreviews ? "preview_generation" : "generation";
    this.#database.run(`UPDATE app SET ${column} = ${column} + 1 WHERE name = ?`, app);
  }
}
