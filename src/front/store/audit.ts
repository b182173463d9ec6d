import type { AuditEntry, AuditRecord, PastRight, Via } from "../../names/account.ts";
import { printable } from "../../system/lines.ts";
import { now, text, type Sqlite } from "../../system/sqlite.ts";

export interface AuditKeeping {
  /** Days that changes are kept. */
  days: number;
  /** Told of each change, for a log that nobody shortens. */
  onChange?: (entry: AuditEntry) => void;
}

const day = 86_400_000;
/** Anybody may cause refusals, and whoever may push causes changes: neither fills the disk. */
const keptRefusals = 10_000;
const keptChanges = 1_000_000;
const longestDetail = 500;

/** What was done and what was refused, and which rights were other ones at the time. */
export class Audit {
  readonly #database: Sqlite;
  readonly #keeping: AuditKeeping;

  constructor(database: Sqlite, keeping: AuditKeeping) {
    this.#database = database;
    this.#keeping = keeping;
  }

  /** What stands in it may be anybody's words, a branch's name for one. */
  write({ detail, ...entry }: AuditEntry): void {
    const words = detail === undefined ? undefined : printable(detail).slice(0, longestDetail);
    if (entry.outcome === "refused") this.#writeRefusal({ ...entry, detail: words });
    else this.#writeChange({ ...entry, detail: words });
  }

  /** The newest first; `before`: those of smaller ids. */
  entries(limit: number, before = Number.MAX_SAFE_INTEGER): AuditRecord[] {
    const columns = "id, at, account, via, action, app, outcome, detail, times, last_at";
    const found = this.#database.all(
      `SELECT ${columns} FROM audit WHERE id < ? ORDER BY id DESC LIMIT ?`,
      before,
      limit,
    );
    return found.map((row) => ({
      id: Number(row["id"]),
      at: text(row["at"]),
      account: row["account"] as string | null,
      via: text(row["via"]) as Via,
      action: text(row["action"]),
      app: row["app"] as string | null,
      outcome: text(row["outcome"]) as AuditEntry["outcome"],
      detail: row["detail"] as string | null,
      times: Number(row["times"]),
      lastAt: row["last_at"] as string | null,
    }));
  }

  /** The first moment of which it is known who had which right. */
  rightsKnownFrom(): string {
    const beginning = this.#database.get("SELECT at FROM right_change WHERE account = ''");
    return beginning ? text(beginning["at"]) : this.#oldest();
  }

  /** Who had which right when: what they have now, without what has changed since. */
  rightsAt(time: string): PastRight[] {
    const found = this.#database.all(
      `WITH since AS (
         SELECT account, app, before, min(id) FROM right_change WHERE at > ?1 AND account <> '' GROUP BY account, app
       ), now AS (
         SELECT account, app, level FROM app_right UNION ALL SELECT name, '', 'create' FROM account WHERE may_create
       )
       SELECT account, app, level FROM now
         WHERE NOT EXISTS (SELECT 1 FROM since WHERE since.account = now.account AND since.app = now.app)
       UNION ALL SELECT account, app, before FROM since WHERE before IS NOT NULL
       ORDER BY account, app`,
      time,
    );
    return found.map((row) => ({
      account: text(row["account"]),
      app: text(row["app"]) || null,
      right: text(row["level"]) as PastRight["right"],
    }));
  }

  /** One line for each account, action and minute, however often it is tried. */
  #writeRefusal(entry: AuditEntry): void {
    const { account, via, action } = entry;
    const at = now();
    const { changes } = this.#database.run(
      `UPDATE audit SET times = times + 1, last_at = ? WHERE id = (
         SELECT max(id) FROM audit
         WHERE outcome = 'refused' AND account IS ? AND action = ? AND via = ? AND at >= ?)`,
      at,
      account,
      action,
      via,
      at.slice(0, "2026-11-28T20:00".length),
    );
    if (changes > 0) return;
    this.#insert(entry, at);
    this.#database.run(
      `DELETE FROM audit WHERE outcome = 'refused' AND id <= (
         SELECT id FROM audit WHERE outcome = 'refused' ORDER BY id DESC LIMIT 1 OFFSET ?)`,
      keptRefusals,
    );
  }

  #writeChange(entry: AuditEntry): void {
    const id = this.#insert(entry, now());
    this.#database.run("DELETE FROM audit WHERE outcome = 'done' AND at < ?", this.#oldest());
    this.#database.run("DELETE FROM audit WHERE outcome = 'done' AND id <= ?", id - keptChanges);
    this.#database.run("DELETE FROM right_change WHERE at < ?", this.#oldest());
    this.#keeping.onChange?.(entry);
  }

  #insert({ account, via, action, app, outcome, detail }: AuditEntry, at: string): number {
    const { lastInsertRowid } = this.#database.run(
      "INSERT INTO audit (at, account, via, action, app, outcome, detail) VALUES (?, ?, ?, ?, ?, ?, ?)",
      at,
      account,
      via,
      action,
      app ?? null,
      outcome,
      detail ?? null,
    );
    return Number(lastInsertRowid);
  }

  #oldest(): string {
    return new Date(Date.now() - this.#keeping.days * day).toISOString();
  }
}
