import type { Place } from "../../names/instance.ts";
import { UserError } from "../../errors.ts";
import { text, type Row, type Sqlite } from "../../system/sqlite.ts";

/** `held`: it answers there; `claimed`: a preview's branch keeps it, before there is an instance and after. */
type PlaceState = "claimed" | "held";

/** Where instances answer: each place is one instance's at a time, also by the database's own word. */
export class Places {
  readonly #database: Sqlite;

  constructor(database: Sqlite) {
    this.#database = database;
  }

  /**
   * Another instance that the place belongs to or runs into: a whole host and a path of it cannot be two instances',
   * and a port of its own is one instance's at every host. Whether it is asked by TLS makes no difference.
   */
  holderOf({ host, path, port }: Place, name: string): string | undefined {
    const holder = this.#database.get(
      `SELECT instance FROM place
       WHERE port = ?1 AND (port <> 0 OR (host = ?2 AND (path = ?3 OR path = '/' OR ?3 = '/')))
         AND instance <> ?4`,
      port,
      host,
      path,
      name,
    );
    return holder && text(holder["instance"]);
  }

  /** `PLACE_TAKEN` where it is not, or would not be, the instance's. */
  expectFree(name: string, place: Place): void {
    const holder = this.holderOf(place, name);
    if (holder === undefined) return;
    const { host, path, port } = place;
    const said = `${host}${port === 0 ? "" : `:${port}`}${path}`;
    throw new UserError("PLACE_TAKEN", `${said} belongs to ${holder}`);
  }

  /** The first one is what people are told. */
  of(instance: string, state: PlaceState): Place[] {
    const rows = this.#database.all(
      "SELECT scheme, host, path, port FROM place WHERE instance = ? AND state = ? ORDER BY rowid",
      instance,
      state,
    );
    return rows.map(toPlace);
  }

  /** All that it has in this state from now on: `PLACE_TAKEN`. */
  set({ name, app }: { name: string; app: string }, state: PlaceState, places: Place[]): void {
    for (const place of places) this.expectFree(name, place);
    this.#database.transaction(() => {
      this.#database.run("DELETE FROM place WHERE instance = ? AND state = ?", name, state);
      for (const { scheme, host, path, port } of places) {
        this.#database.run(
          "INSERT INTO place (instance, app, state, scheme, host, path, port) VALUES (?, ?, ?, ?, ?, ?, ?)",
          ...[name, app, state, scheme, host, path, port],
        );
      }
    });
  }
}

/** Of a row that has a place's columns among its own. */
export function toPlace(row: Row): Place {
  return {
    scheme: text(row["scheme"]) as Place["scheme"],
    host: text(row["host"]),
    path: text(row["path"]),
    port: Number(row["port"]),
  };
}
