import { createHash } from "node:crypto";
import { z } from "zod";
import { fromJson } from "../../system/json.ts";
import { text, type Sqlite } from "../../system/sqlite.ts";
import { parseCoverage, type Coverage } from "./coverage.ts";
import { isUnfinished, type Deploy } from "./deploys.ts";

/** The file that a deploy's requirements are in, and after it every one that it includes. */
const requirementsFiles = z.array(z.object({ path: z.string(), text: z.string() }));

type Files = z.infer<typeof requirementsFiles>;

/** What deploys are to be installed with. It is what a pusher makes it, so that a deploy names it only. */
export class Requirements {
  readonly #database: Sqlite;

  constructor(database: Sqlite) {
    this.#database = database;
  }

  /**
   * Writes down the files that a deploy's requirements are. They may be large: those that no deploy
   * needs which is on the air or on its way there go.
   */
  keep(deploy: number, files: Files): void {
    const kept = JSON.stringify(files);
    const hash = createHash("sha256").update(kept).digest("hex");
    this.#database.transaction(() => {
      this.#database.run(
        "INSERT INTO requirements (hash, files) VALUES (?, ?) ON CONFLICT DO NOTHING",
        hash,
        kept,
      );
      this.#database.run("UPDATE deploy SET requirements = ? WHERE id = ?", hash, deploy);
      this.#database.run(
        `DELETE FROM requirements WHERE hash NOT IN
           (SELECT requirements FROM deploy WHERE id IN (SELECT live FROM instance)
            UNION SELECT requirements FROM deploy WHERE ${isUnfinished})`,
      );
    });
  }

  /** None of a deploy that is neither on the air nor on its way there: they may be gone. */
  of({ requirements: hash }: Pick<Deploy, "requirements">): Files {
    const row = this.#database.get("SELECT files FROM requirements WHERE hash = ?", hash);
    if (!row) return [];
    const files = fromJson(requirementsFiles, text(row["files"]));
    if (!files) throw new Error(`the requirements ${hash} in the agent's database are no files`);
    return files;
  }

  /** Undefined where they were not looked through yet, or by another version. */
  coverage({ requirements: hash }: Pick<Deploy, "requirements">): Coverage | undefined {
    const row = this.#database.get("SELECT coverage FROM requirements WHERE hash = ?", hash);
    return row && parseCoverage(text(row["coverage"]));
  }

  keepCoverage({ requirements: hash }: Pick<Deploy, "requirements">, coverage: Coverage): void {
    const kept = JSON.stringify(coverage);
    this.#database.run("UPDATE requirements SET coverage = ? WHERE hash = ?", kept, hash);
  }
}
