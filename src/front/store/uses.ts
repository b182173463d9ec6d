import { now, type Sqlite } from "../../system/sqlite.ts";

/** The last use is written down this often, so that a fetch is not a write each time. */
const usePrecision = 60_000;

/** Notes that somebody came by it. */
export function noteUse(
  database: Sqlite,
  table: "token" | "key",
  column: string,
  value: string | number,
): void {
  database.run(
    `UPDATE ${table} SET used_at = ? WHERE ${column} = ? AND (used_at IS NULL OR used_at < ?)`,
    now(),
    value,
    new Date(Date.now() - usePrecision).toISOString(),
  );
}
