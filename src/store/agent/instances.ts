import type { Instance } from "../../app/instance.ts";
import { UserError } from "../../errors.ts";
import { text, type Row, type Sqlite } from "../sqlite.ts";
import { holderOf, toPlace } from "./places.ts";

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
const ofInstance = "name, app, branch, host, path, port, live, settled, degraded";

export class Instances {
  readonly #database: Sqlite;

  constructor(database: Sqlite) {
    this.#database = database;
  }

  /** A place belongs to one instance at a time: `PLACE_TAKEN`. */
  expectPlaceFree({ name, place }: Pick<Instance, "name" | "place">): void {
    const holder = holderOf(this.#database, place, name);
    if (holder === undefined) return;
    const { host, path, port } = place;
    const said = `${host}${port === 0 ? "" : `:${port}`}${path}`;
    throw new UserError("PLACE_TAKEN", `${said} belongs to ${holder}`);
  }

  /** Writes the instance down, or gives it its new place: `PLACE_TAKEN`. */
  place(instance: Instance): void {
    this.expectPlaceFree(instance);
    const { name, app, branch, place } = instance;
    this.#database.run(
      `INSERT INTO instance (name, app, branch, host, path, port) VALUES (?, ?, ?, ?, ?, ?)
       ON CONFLICT (name) DO UPDATE
         SET branch = excluded.branch, host = excluded.host, path = excluded.path, port = excluded.port`,
      name,
      app,
      branch,
      place.host,
      place.path,
      place.port,
    );
  }

  /** Puts back what `place` changed. */
  putBack(name: string, former: Instance | undefined): void {
    if (former) this.place(former);
    else this.#database.run("DELETE FROM instance WHERE name = ?", name);
  }

  get(name: string): InstanceRow | undefined {
    const row = this.#database.get(`SELECT ${ofInstance} FROM instance WHERE name = ?`, name);
    return row && toInstance(row);
  }

  all(): InstanceRow[] {
    return this.#database.all(`SELECT ${ofInstance} FROM instance ORDER BY name`).map(toInstance);
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
