import type { Place } from "../../app/instance.ts";
import { text, type Row, type Sqlite } from "../sqlite.ts";

/**
 * Another instance, or another preview's claim, that the place belongs to or runs into: a whole host and a
 * path of it cannot be two instances', and a port of its own is one instance's at every host.
 */
export function holderOf(
  database: Sqlite,
  { host, path, port }: Place,
  name: string,
): string | undefined {
  const overlaps = `port = ?1 AND (port <> 0 OR (host = ?2 AND (path = ?3 OR path = '/' OR ?3 = '/')))`;
  const holder = database.get(
    `SELECT name FROM instance WHERE ${overlaps} AND name <> ?4
     UNION SELECT instance FROM preview WHERE ${overlaps} AND instance <> ?4`,
    port,
    host,
    path,
    name,
  );
  return holder && text(holder["name"]);
}

export function toPlace(row: Row): Place {
  return { host: text(row["host"]), path: text(row["path"]), port: Number(row["port"]) };
}
