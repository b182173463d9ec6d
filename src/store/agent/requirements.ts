import { createHash } from "node:crypto";
import { text, type Sqlite } from "../sqlite.ts";
import { isUnfinished, type Deploy } from "./deploys.ts";

/** What deploys are to be installed with. It is what a pusher makes it, so that a deploy names it only. */
export class Requirements {
  readonly #database: Sqlite;

  constructor(database: Sqlite) {
    this.#database = database;
  }

  /**
   * Writes down the files that a deploy's requirements are, as JSON. They may be large: those that no deploy
   * needs which is on the air or on its way there go.
   */
  keep(deploy: number, files: string): void {
    const hash = createHash("sha256").update(files).digest("hex");
    this.#database.transaction(() => {
      this.#database.run(
        "INSERT INTO requirements (hash, files) VALUES (?, ?) ON CONFLICT DO NOTHING",
        hash,
        files,
      );
      this.#database.run("UPDATE deploy SET requirements = ? WHERE id = ?", hash, deploy);
      this.#database.run(
        `DELETE FROM requirements WHERE hash NOT IN
           (SELECT requirements FROM deploy WHERE id IN (SELECT live FROM instance)
            UNION SELECT requirements FROM deploy WHERE ${isUnfinished})`,
      );
    });
  }

  /** JSON; of a deploy that is neither on the air nor on its way there they may be gone. */
  of({ requirements: hash }: Pick<Deploy, "requirements">): string {
    const row = this.#database.get("SELECT files FROM requirements WHERE hash = ?", hash);
    return row ? text(row["files"]) : "[]";
  }

  /** JSON; empty where they were not looked through yet. */
  coverage({ requirements: hash }: Pick<Deploy, "requirements">): string {
    const row = this.#database.get("SELECT coverage FROM requirements WHERE hash = ?", hash);
    return row ? text(row["coverage"]) : "";
  }

  keepCoverage({ requirements: hash }: Pick<Deploy, "requirements">, coverage: string): void {
    this.#database.run("UPDATE requirements SET coverage = ? WHERE hash = ?", coverage, hash);
  }
}
