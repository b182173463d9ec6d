import { z } from "zod";
import { fromJson } from "../../system/json.ts";
import { now, text, type Sqlite } from "../../system/sqlite.ts";

/** What an environment was built from, as far as it tells whether another one may begin with it. */
const origin = z.object({
  hash: z.string(),
  /** Names all that must be the same: interpreter, installer, indexes, generation, options of the whole. */
  ground: z.string(),
  /** Short names of the lines of its requirements. */
  lines: z.array(z.string()),
});

export type Origin = z.infer<typeof origin>;

/** Characters of a list of packages: one that is longer is no list that a rebuild could be held to. */
const longestPackages = 64 * 1024;

export class Environments {
  readonly #database: Sqlite;

  constructor(database: Sqlite) {
    this.#database = database;
  }

  /** What an environment of this hash holds, as `pip freeze` listed it when it was first built. */
  packages(app: string, hash: string): string | undefined {
    const row = this.#database.get(
      "SELECT packages FROM environment WHERE app = ? AND hash = ?",
      app,
      hash,
    );
    return row && text(row["packages"]);
  }

  /** Undefined where none was kept, or one of another kind. */
  origin(app: string, hash: string): Origin | undefined {
    const row = this.#database.get(
      "SELECT origin FROM environment WHERE app = ? AND hash = ?",
      app,
      hash,
    );
    return fromJson(origin, text(row?.["origin"]));
  }

  /** The list of the first build stays, whatever a later one of the same hash holds. */
  keep(app: string, hash: string, packages: string, from?: Origin): void {
    this.#database.run(
      `INSERT INTO environment (app, hash, packages, built_at, origin) VALUES (?, ?, ?, ?, ?)
       ON CONFLICT DO UPDATE SET origin = excluded.origin`,
      app,
      hash,
      packages.length > longestPackages ? "" : packages,
      now(),
      from ? JSON.stringify(from) : "",
    );
  }
}
