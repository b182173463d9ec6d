import type { Instance } from "../../names/instance.ts";
import { text, type Row, type Sqlite } from "../../system/sqlite.ts";
import { toPlace, type Places } from "./places.ts";

export interface InstanceRow extends Instance {
  live: number | null;
  settled: number | null;
  degraded: string | null;
}

type InstanceChange = Partial<Pick<InstanceRow, "live" | "settled" | "degraded">>;

const columns = { live: "live", settled: "settled", degraded: "degraded" } as const;
/** Characters. */
const longest = { degraded: 1024 };
// A list names its columns: one that is added later and is large is not in it.
const ofInstance = "name, instance.app, branch, live, settled, degraded, scheme, host, path, port";
/** With the first of its places. */
const placedInstance = `instance JOIN place ON place.rowid =
  (SELECT min(rowid) FROM place AS own WHERE own.instance = name AND own.state = 'held')`;

export class Instances {
  readonly #database: Sqlite;
  readonly #places: Places;

  constructor(database: Sqlite, places: Places) {
    this.#database = database;
    this.#places = places;
  }

  /** Writes the instance down, or gives it its new place: `PLACE_TAKEN`. */
  place({ name, app, branch, place }: Instance): void {
    this.#database.transaction(() => {
      this.#places.set({ name, app }, "held", [place]);
      this.#database.run(
        `INSERT INTO instance (name, app, branch) VALUES (?, ?, ?)
         ON CONFLICT (name) DO UPDATE SET branch = excluded.branch`,
        name,
        app,
        branch,
      );
    });
  }

  /** Puts back what `place` changed. */
  putBack(name: string, former: Instance | undefined): void {
    if (former) this.place(former);
    else {
      this.#database.run("DELETE FROM place WHERE instance = ? AND state = 'held'", name);
      this.#database.run("DELETE FROM instance WHERE name = ?", name);
    }
  }

  get(name: string): InstanceRow | undefined {
    const row = this.#database.get(
      `SELECT ${ofInstance} FROM ${placedInstance} WHERE name = ?`,
      name,
    );
    return row && toInstance(row);
  }

  all(): InstanceRow[] {
    return this.#database
      .all(`SELECT ${ofInstance} FROM ${placedInstance} ORDER BY name`)
      .map(toInstance);
  }

  change(name: string, change: InstanceChange): void {
    this.#database.update("instance", { columns, longest }, change, ["name", name]);
  }
}

function toInstance(row: Row): InstanceRow {
  return {
    name: text(row["name"]),
    app: text(row["app"]),
    branch: text(row["branch"]),
    place: toPlace(row),
    live: row["live"] as number | null,
    settled: row["settled"] as number | null,
    degraded: row["degraded"] as string | null,
  };
}
