import type { Identity } from "../../system/system.ts";
import { now, text, type Row, type Sqlite } from "../../system/sqlite.ts";

/** The system users that apps run as and that build. Those that are gone stay on record: no number is given twice. */
export class Users {
  readonly #database: Sqlite;

  constructor(database: Sqlite) {
    this.#database = database;
  }

  /** The system user that the app runs as, or its previews. */
  appUser(app: string, ofPreviews: boolean): Identity | undefined {
    return identityOf(
      this.#database.get(
        "SELECT name, uid, gid FROM app_user WHERE app = ? AND of_previews = ? AND removed_at IS NULL",
        app,
        Number(ofPreviews),
      ),
    );
  }

  keepAppUser({ name, uid, gid }: Identity, app: string, ofPreviews: boolean): void {
    this.#database.run(
      "INSERT INTO app_user (uid, gid, name, app, of_previews) VALUES (?, ?, ?, ?, ?)",
      uid,
      gid,
      name,
      app,
      Number(ofPreviews),
    );
  }

  /** The user is gone; its number is nobody's for ever. */
  retireAppUser({ uid }: Identity): void {
    this.#database.run("UPDATE app_user SET removed_at = ? WHERE uid = ?", now(), uid);
  }

  /** The user is gone, and nothing ever ran as it: its number may be somebody's again. */
  forgetAppUser({ uid }: Identity): void {
    this.#database.run("DELETE FROM app_user WHERE uid = ?", uid);
  }

  /** The system user that builds, at this place of the pool. */
  builder(place: number): Identity | undefined {
    return identityOf(
      this.#database.get(
        "SELECT name, uid, gid FROM builder WHERE place = ? AND removed_at IS NULL",
        place,
      ),
    );
  }

  keepBuilder({ name, uid, gid }: Identity, place: number): void {
    this.#database.run(
      "INSERT INTO builder (uid, gid, name, place) VALUES (?, ?, ?, ?)",
      uid,
      gid,
      name,
      place,
    );
  }

  retireBuilder({ uid }: Identity): void {
    this.#database.run("UPDATE builder SET removed_at = ? WHERE uid = ?", now(), uid);
  }

  /** The largest number that any system user of this server's has had, or 0. */
  lastNumber(): number {
    const all = "SELECT uid FROM app_user UNION ALL SELECT uid FROM builder";
    return Number(this.#database.get(`SELECT max(uid) AS last FROM (${all})`)?.["last"] ?? 0);
  }
}

function identityOf(row: Row | undefined): Identity | undefined {
  return row && { name: text(row["name"]), uid: Number(row["uid"]), gid: Number(row["gid"]) };
}
