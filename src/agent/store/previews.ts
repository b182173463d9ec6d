import { isSamePlace, type Place } from "../../names/instance.ts";
import { text, type Row, type Sqlite } from "../../system/sqlite.ts";
import { toPlace, type Places } from "./places.ts";

/** A branch's claim to its name and its place; it comes before the instance of that name, and goes after it. */
export interface Preview {
  instance: string;
  app: string;
  branch: string;
  place: Place;
  /** Neither age nor number removes it. */
  pinned: boolean;
}

interface PreviewChoice {
  name: (isTaken: (name: string) => boolean) => string;
  place: (name: string, current: Place | undefined, isFree: (place: Place) => boolean) => Place;
}

const ofPreview = "preview.instance, preview.app, branch, pinned, scheme, host, path, port";
const placedPreview =
  "preview JOIN place ON place.instance = preview.instance AND place.state = 'claimed'";

export class Previews {
  readonly #database: Sqlite;
  readonly #places: Places;

  constructor(database: Sqlite, places: Places) {
    this.#database = database;
    this.#places = places;
  }

  /**
   * The name and the place of a branch's preview: those that it has, or those that `choose` finds among what
   * is free. Looked up and written down in one go, so that two branches never get the same.
   */
  claim(app: string, branch: string, choose: PreviewChoice): Preview {
    const claimed = this.of(app, branch);
    const instance = claimed?.instance ?? choose.name((name) => this.#isNameTaken(name));
    const isFree = (offered: Place): boolean =>
      this.#places.holderOf(offered, instance) === undefined;
    const place = choose.place(instance, claimed?.place, isFree);
    if (claimed && isSamePlace(claimed.place, place)) return claimed;
    this.#database.transaction(() => {
      this.#places.set({ name: instance, app }, "claimed", [place]);
      this.#database.run(
        "INSERT INTO preview (instance, app, branch) VALUES (?, ?, ?) ON CONFLICT (instance) DO NOTHING",
        instance,
        app,
        branch,
      );
    });
    return { pinned: false, ...claimed, instance, app, branch, place };
  }

  #isNameTaken(name: string): boolean {
    const taken =
      "SELECT instance FROM preview WHERE instance = ?1 UNION SELECT name FROM instance WHERE name = ?1";
    return this.#database.get(taken, name) !== undefined;
  }

  of(app: string, branch: string): Preview | undefined {
    const row = this.#database.get(
      `SELECT ${ofPreview} FROM ${placedPreview} WHERE preview.app = ? AND branch = ?`,
      app,
      branch,
    );
    return row && toPreview(row);
  }

  all(): Preview[] {
    return this.#database
      .all(`SELECT ${ofPreview} FROM ${placedPreview} ORDER BY preview.instance`)
      .map(toPreview);
  }

  pin(instance: string, pinned: boolean): void {
    this.#database.run(
      "UPDATE preview SET pinned = ? WHERE instance = ?",
      Number(pinned),
      instance,
    );
  }

  /** The name is free again. */
  forget(instance: string): void {
    this.#database.transaction(() => {
      this.#database.run("DELETE FROM place WHERE instance = ? AND state = 'claimed'", instance);
      this.#database.run("DELETE FROM preview WHERE instance = ?", instance);
    });
  }
}

function toPreview(row: Row): Preview {
  return {
    instance: text(row["instance"]),
    app: text(row["app"]),
    branch: text(row["branch"]),
    place: toPlace(row),
    pinned: row["pinned"] === 1,
  };
}
