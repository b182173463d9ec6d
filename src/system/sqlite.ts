import Database from "libsql";
import { UserError } from "../errors.ts";

export type Row = Record<string, string | number | null>;
type Value = string | number | null;

/**
 * One SQLite file and its owner. The numbered list of migrations is the database's history: `user_version`
 * says how many of them were applied. What a release has had is never changed, only followed by the next entry.
 */
export class Sqlite {
  readonly #database: Database.Database;
  /** What is prepared is freed only when Node tidies up, which does not know how large it is. */
  readonly #prepared = new Map<string, Database.Statement>();

  /** `owner` is whose memory it is, for the words of an error: `agent`. */
  constructor(path: string, owner: string, migrations: string[]) {
    this.#database = new Database(path);
    this.#database.pragma("journal_mode = WAL");
    this.#database.pragma("synchronous = NORMAL");
    this.#database.pragma("foreign_keys = ON");
    this.#migrate(owner, migrations);
  }

  close(): void {
    this.#database.close();
  }

  // Values go as one list: libsql takes a single null for names and their values.
  run(sql: string, ...values: Value[]): Database.RunResult {
    return this.#prepare(sql).run(values);
  }

  get(sql: string, ...values: Value[]): Row | undefined {
    return this.#prepare(sql).get(values) as Row | undefined;
  }

  all(sql: string, ...values: Value[]): Row[] {
    return this.#prepare(sql).all(values) as Row[];
  }

  /** Changes one row; texts are shortened to what is kept of them. `columns` have the fields' names. */
  update(
    table: string,
    { columns, longest }: { columns: Record<string, string>; longest: Record<string, number> },
    change: object,
    [key, value]: [string, string | number],
  ): void {
    const entries = Object.entries(change) as [string, Value][];
    const assignments = entries.map(([name]) => `${columns[name] ?? ""} = ?`).join(", ");
    this.run(
      `UPDATE ${table} SET ${assignments} WHERE ${key} = ?`,
      ...entries.map(([name, given]) =>
        typeof given === "string" ? shortened(given, longest[name] ?? given.length) : given,
      ),
      value,
    );
  }

  /** All of it or nothing; within another one it is a part of that. */
  transaction(work: () => void): void {
    if (this.#database.inTransaction) work();
    else this.#database.transaction(work)();
  }

  #prepare(sql: string): Database.Statement {
    const prepared = this.#prepared.get(sql) ?? this.#database.prepare(sql);
    this.#prepared.set(sql, prepared);
    return prepared;
  }

  #migrate(owner: string, migrations: string[]): void {
    const done = Number(this.get("PRAGMA user_version")?.["user_version"] ?? 0);
    if (done > migrations.length) {
      throw new UserError(
        "CONFIG_INVALID",
        `the ${owner}'s database was written by another version of reeve`,
        {
          hint: "Run that version, or restore the folder from a backup of this one's time.",
        },
      );
    }
    migrations.slice(done).forEach((migration, index) => {
      this.#database.exec(
        `BEGIN; ${migration}; PRAGMA user_version = ${done + index + 1}; COMMIT;`,
      );
    });
  }
}

export function now(): string {
  return new Date().toISOString();
}

/** What is kept of a text: its beginning and its end, where an app's own words say what is wrong. */
export function shortened(text: string, longest: number): string {
  if (text.length <= longest) return text;
  const half = Math.floor(longest / 2) - 1;
  return `${text.slice(0, half)}…${text.slice(-half)}`;
}

export function text(value: Value | undefined): string {
  return String(value ?? "");
}
