import type { Right } from "../app/names.ts";
import { printable } from "../host/lines.ts";
import { now, Sqlite, text, type Row } from "./sqlite.ts";

/** The front's memory: who there is, what proves them, what they may do, and what they did. */
const migrations = [
  `
  CREATE TABLE account (
    name TEXT PRIMARY KEY,
    administrator INTEGER NOT NULL DEFAULT 0,
    may_create INTEGER NOT NULL DEFAULT 0,
    created_at TEXT NOT NULL
  ) STRICT;
  CREATE TABLE token (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    account TEXT NOT NULL REFERENCES account(name) ON DELETE CASCADE,
    digest TEXT NOT NULL UNIQUE,
    note TEXT,
    created_at TEXT NOT NULL,
    expires_at TEXT,
    used_at TEXT
  ) STRICT;
  CREATE TABLE key (
    fingerprint TEXT PRIMARY KEY,
    account TEXT NOT NULL REFERENCES account(name) ON DELETE CASCADE,
    type TEXT NOT NULL,
    body TEXT NOT NULL,
    comment TEXT,
    created_at TEXT NOT NULL,
    used_at TEXT
  ) STRICT;
  CREATE TABLE app_right (
    account TEXT NOT NULL REFERENCES account(name) ON DELETE CASCADE,
    app TEXT NOT NULL,
    level TEXT NOT NULL,
    PRIMARY KEY (account, app)
  ) STRICT;
  CREATE TABLE audit (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    at TEXT NOT NULL,
    account TEXT,
    via TEXT NOT NULL,
    action TEXT NOT NULL,
    app TEXT,
    outcome TEXT NOT NULL,
    detail TEXT
  ) STRICT;
  INSERT INTO account (name, administrator, may_create, created_at)
    VALUES ('admin', 1, 1, strftime('%Y-%m-%dT%H:%M:%fZ', 'now'));
  `,
  // Refusals are counted, and both kinds are found without looking through the other. What an account may do is
  // written down by the database itself, so that no way to change it is left out: the end of an account for one.
  `
  ALTER TABLE audit ADD COLUMN times INTEGER NOT NULL DEFAULT 1;
  ALTER TABLE audit ADD COLUMN last_at TEXT;
  CREATE INDEX audit_done ON audit (at) WHERE outcome = 'done';
  CREATE INDEX audit_refused ON audit (account, action, via, at) WHERE outcome = 'refused';
  CREATE INDEX audit_refused_in_order ON audit (id) WHERE outcome = 'refused';
  CREATE TABLE right_change (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    at TEXT NOT NULL,
    account TEXT NOT NULL,
    app TEXT NOT NULL,
    before TEXT
  ) STRICT;
  CREATE INDEX right_change_at ON right_change (at);
  INSERT INTO right_change (at, account, app) VALUES (strftime('%Y-%m-%dT%H:%M:%fZ', 'now'), '', '');
  CREATE TRIGGER right_given AFTER INSERT ON app_right BEGIN
    INSERT INTO right_change (at, account, app)
      VALUES (strftime('%Y-%m-%dT%H:%M:%fZ', 'now'), new.account, new.app);
  END;
  CREATE TRIGGER right_changed AFTER UPDATE ON app_right WHEN old.level <> new.level BEGIN
    INSERT INTO right_change (at, account, app, before)
      VALUES (strftime('%Y-%m-%dT%H:%M:%fZ', 'now'), old.account, old.app, old.level);
  END;
  CREATE TRIGGER right_taken AFTER DELETE ON app_right BEGIN
    INSERT INTO right_change (at, account, app, before)
      VALUES (strftime('%Y-%m-%dT%H:%M:%fZ', 'now'), old.account, old.app, old.level);
  END;
  CREATE TRIGGER account_made AFTER INSERT ON account WHEN new.may_create BEGIN
    INSERT INTO right_change (at, account, app)
      VALUES (strftime('%Y-%m-%dT%H:%M:%fZ', 'now'), new.name, '');
  END;
  CREATE TRIGGER account_changed AFTER UPDATE OF may_create ON account
  WHEN old.may_create <> new.may_create BEGIN
    INSERT INTO right_change (at, account, app, before)
      VALUES (strftime('%Y-%m-%dT%H:%M:%fZ', 'now'), old.name, '', iif(old.may_create, 'create', NULL));
  END;
  CREATE TRIGGER account_gone AFTER DELETE ON account WHEN old.may_create BEGIN
    INSERT INTO right_change (at, account, app, before)
      VALUES (strftime('%Y-%m-%dT%H:%M:%fZ', 'now'), old.name, '', 'create');
  END;
  `,
  // Who made which app. One that is gone counts for a day: its number is used up.
  `
  CREATE TABLE made_app (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    app TEXT NOT NULL,
    account TEXT NOT NULL REFERENCES account(name) ON DELETE CASCADE,
    by_push INTEGER NOT NULL,
    made_at TEXT NOT NULL,
    gone_at TEXT
  ) STRICT;
  CREATE INDEX made_app_of ON made_app (account);
  CREATE UNIQUE INDEX made_app_is ON made_app (app) WHERE gone_at IS NULL;
  `,
];

export interface Account {
  name: string;
  /** The server's: may do everything. */
  administrator: boolean;
  mayCreate: boolean;
}

export interface AccountSummary extends Account {
  createdAt: string;
  tokens: number;
  keys: number;
  rights: { app: string; right: Right }[];
}

export interface TokenSummary {
  id: number;
  account: string;
  note: string | null;
  createdAt: string;
  expiresAt: string | null;
  usedAt: string | null;
}

/** A public key, taken apart: nothing else of what somebody handed in is kept. */
export interface PublicKey {
  fingerprint: string;
  type: string;
  body: string;
  comment: string | null;
}

export interface KeySummary extends PublicKey {
  account: string;
  createdAt: string;
  usedAt: string | null;
}

export type Via = "http" | "ssh" | "local";

/** What proved an account. It is looked up again at every decision, so that one taken away counts no more. */
export type Proof = { token: number } | { key: string } | "administrator";

/** On whose behalf something is asked. */
export interface Caller {
  account: string;
  via: Via;
  proof: Proof;
}

export interface AuditEntry {
  account: string | null;
  via: Via;
  action: string;
  app?: string | undefined;
  outcome: "done" | "refused";
  detail?: string | undefined;
}

export interface AuditRecord extends Omit<AuditEntry, "app" | "detail"> {
  id: number;
  at: string;
  app: string | null;
  detail: string | null;
  /** How often it was refused within the minute, and when last: app and detail are the first one's. */
  times: number;
  lastAt: string | null;
}

/** What an account could do at some time: a right in an app, or to create apps. */
export interface PastRight {
  account: string;
  app: string | null;
  right: Right | "create";
}

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
/** The last use is written down this often, so that a fetch is not a write each time. */
const usePrecision = 60_000;

const ofKey = "fingerprint, account, type, body, comment, created_at, used_at";

export class FrontStore {
  readonly #database: Sqlite;
  readonly #keeping: AuditKeeping;

  constructor(path: string, keeping: AuditKeeping = { days: 730 }) {
    this.#database = new Sqlite(path, "front", migrations);
    this.#keeping = keeping;
  }

  close(): void {
    this.#database.close();
  }

  account(name: string): Account | undefined {
    const row = this.#database.get(
      "SELECT name, administrator, may_create FROM account WHERE name = ?",
      name,
    );
    return row && toAccount(row);
  }

  accounts(): AccountSummary[] {
    return this.#database
      .all(
        `SELECT name, administrator, may_create, created_at, (SELECT count(*) FROM token WHERE account = name) AS tokens,
           (SELECT count(*) FROM key WHERE account = name) AS keys FROM account ORDER BY name`,
      )
      .map((row) => ({
        ...toAccount(row),
        createdAt: text(row["created_at"]),
        tokens: Number(row["tokens"]),
        keys: Number(row["keys"]),
        rights: this.#rightsOf(text(row["name"])),
      }));
  }

  /** Whether there was none of that name. */
  addAccount(name: string, mayCreate: boolean): boolean {
    const result = this.#database.run(
      "INSERT INTO account (name, may_create, created_at) VALUES (?, ?, ?) ON CONFLICT DO NOTHING",
      name,
      mayCreate ? 1 : 0,
      now(),
    );
    return result.changes > 0;
  }

  changeAccount(name: string, mayCreate: boolean): void {
    this.#database.run("UPDATE account SET may_create = ? WHERE name = ?", mayCreate ? 1 : 0, name);
  }

  /** Its tokens, keys and rights go with it. */
  removeAccount(name: string): void {
    this.#database.run("DELETE FROM account WHERE name = ?", name);
  }

  addToken(token: {
    account: string;
    digest: string;
    note: string | null;
    expiresAt: string | null;
  }): number {
    const { account, digest, note, expiresAt } = token;
    const result = this.#database.run(
      "INSERT INTO token (account, digest, note, created_at, expires_at) VALUES (?, ?, ?, ?, ?)",
      account,
      digest,
      note,
      now(),
      expiresAt,
    );
    return Number(result.lastInsertRowid);
  }

  /** One that has not expired. */
  tokenByDigest(digest: string): { id: number; account: string; digest: string } | undefined {
    const row = this.#database.get(
      "SELECT id, account, digest FROM token WHERE digest = ? AND (expires_at IS NULL OR expires_at > ?)",
      digest,
      now(),
    );
    return (
      row && {
        id: Number(row["id"]),
        account: text(row["account"]),
        digest: text(row["digest"]),
      }
    );
  }

  hasToken(id: number): boolean {
    return (
      this.#database.get(
        "SELECT id FROM token WHERE id = ? AND (expires_at IS NULL OR expires_at > ?)",
        id,
        now(),
      ) !== undefined
    );
  }

  tokens(account?: string): TokenSummary[] {
    return this.#database
      .all(
        `SELECT id, account, note, created_at, expires_at, used_at FROM token
         WHERE account = coalesce(?, account) ORDER BY account, id`,
        account ?? null,
      )
      .map((row) => ({
        id: Number(row["id"]),
        account: text(row["account"]),
        note: row["note"] as string | null,
        createdAt: text(row["created_at"]),
        expiresAt: row["expires_at"] as string | null,
        usedAt: row["used_at"] as string | null,
      }));
  }

  /** Whether there was one. */
  removeToken(id: number): boolean {
    return this.#database.run("DELETE FROM token WHERE id = ?", id).changes > 0;
  }

  usedToken(id: number): void {
    this.#use("token", "id", id);
  }

  /** Whether nobody had it. */
  addKey(account: string, { fingerprint, type, body, comment }: PublicKey): boolean {
    const result = this.#database.run(
      `INSERT INTO key (fingerprint, account, type, body, comment, created_at)
       VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING`,
      fingerprint,
      account,
      type,
      body,
      comment,
      now(),
    );
    return result.changes > 0;
  }

  key(fingerprint: string): KeySummary | undefined {
    const row = this.#database.get(`SELECT ${ofKey} FROM key WHERE fingerprint = ?`, fingerprint);
    return row && toKey(row);
  }

  keys(account?: string): KeySummary[] {
    return this.#database
      .all(
        `SELECT ${ofKey} FROM key WHERE account = coalesce(?, account) ORDER BY account, created_at`,
        account ?? null,
      )
      .map(toKey);
  }

  removeKey(fingerprint: string): boolean {
    return this.#database.run("DELETE FROM key WHERE fingerprint = ?", fingerprint).changes > 0;
  }

  usedKey(fingerprint: string): void {
    this.#use("key", "fingerprint", fingerprint);
  }

  right(account: string, app: string): Right | undefined {
    const row = this.#database.get(
      "SELECT level FROM app_right WHERE account = ? AND app = ?",
      account,
      app,
    );
    return row && (text(row["level"]) as Right);
  }

  setRight(account: string, app: string, right: Right | undefined): void {
    if (right === undefined) {
      this.#database.run("DELETE FROM app_right WHERE account = ? AND app = ?", account, app);
      return;
    }
    this.#database.run(
      `INSERT INTO app_right (account, app, level) VALUES (?, ?, ?)
       ON CONFLICT (account, app) DO UPDATE SET level = excluded.level`,
      account,
      app,
      right,
    );
  }

  /** An app that comes later with the same name is another one. */
  forgetApp(app: string): void {
    this.#database.run("DELETE FROM app_right WHERE app = ?", app);
    this.#database.run(
      "UPDATE made_app SET gone_at = ? WHERE app = ? AND gone_at IS NULL",
      now(),
      app,
    );
  }

  /** How many apps an account has made: those that there are, and those of the last day. */
  appsMadeBy(account: string): number {
    const row = this.#database.get(
      "SELECT count(*) AS made FROM made_app WHERE account = ? AND (gone_at IS NULL OR made_at > ?)",
      account,
      new Date(Date.now() - day).toISOString(),
    );
    return Number(row?.["made"]);
  }

  keepMaker(app: string, account: string, byPush: boolean): void {
    this.#database.run(
      "DELETE FROM made_app WHERE account = ? AND gone_at IS NOT NULL AND made_at <= ?",
      account,
      new Date(Date.now() - day).toISOString(),
    );
    this.#database.run(
      "INSERT INTO made_app (app, account, by_push, made_at) VALUES (?, ?, ?, ?)",
      app,
      account,
      byPush ? 1 : 0,
      now(),
    );
  }

  /** Of those that a push has made, and that nobody has told to stay. */
  madeByPush(): string[] {
    return this.#database
      .all("SELECT app FROM made_app WHERE by_push = 1 AND gone_at IS NULL")
      .map((row) => text(row["app"]));
  }

  /** The push that made it has brought something. */
  keepApp(app: string): void {
    this.#database.run("UPDATE made_app SET by_push = 0 WHERE app = ? AND gone_at IS NULL", app);
  }

  /** As if it had never been there. */
  unmakeApp(app: string): void {
    this.#database.run("DELETE FROM made_app WHERE app = ? AND gone_at IS NULL", app);
    this.forgetApp(app);
  }

  /** What stands in it may be anybody's words, a branch's name for one. */
  audit({ detail, ...entry }: AuditEntry): void {
    const words = detail === undefined ? undefined : printable(detail).slice(0, longestDetail);
    if (entry.outcome === "refused") this.#writeRefusal({ ...entry, detail: words });
    else this.#writeChange({ ...entry, detail: words });
  }

  /** The newest first; `before`: those of smaller ids. */
  auditEntries(limit: number, before = Number.MAX_SAFE_INTEGER): AuditRecord[] {
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

  #rightsOf(account: string): { app: string; right: Right }[] {
    return this.#database
      .all("SELECT app, level FROM app_right WHERE account = ? ORDER BY app", account)
      .map((row) => ({
        app: text(row["app"]),
        right: text(row["level"]) as Right,
      }));
  }

  #use(table: "token" | "key", column: string, value: string | number): void {
    this.#database.run(
      `UPDATE ${table} SET used_at = ? WHERE ${column} = ? AND (used_at IS NULL OR used_at < ?)`,
      now(),
      value,
      new Date(Date.now() - usePrecision).toISOString(),
    );
  }
}

function toAccount(row: Row): Account {
  return {
    name: text(row["name"]),
    administrator: row["administrator"] === 1,
    mayCreate: row["may_create"] === 1,
  };
}

function toKey(row: Row): KeySummary {
  return {
    fingerprint: text(row["fingerprint"]),
    account: text(row["account"]),
    type: text(row["type"]),
    body: text(row["body"]),
    comment: row["comment"] as string | null,
    createdAt: text(row["created_at"]),
    usedAt: row["used_at"] as string | null,
  };
}
