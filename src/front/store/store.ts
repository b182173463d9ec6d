import { Sqlite } from "../../system/sqlite.ts";
import { Accounts } from "./accounts.ts";
import type { Via } from "../../names/account.ts";
import { Audit, type AuditKeeping } from "./audit.ts";
import { Keys } from "./keys.ts";
import { MadeApps } from "./made-apps.ts";
import { Rights } from "./rights.ts";
import { schema } from "./schema.ts";
import { Tokens } from "./tokens.ts";

/** What proved an account. It is looked up again at every decision, so that one taken away counts no more. */
export type Proof = { token: number } | { key: string } | "administrator";

/** On whose behalf something is asked. */
export interface Caller {
  account: string;
  via: Via;
  proof: Proof;
}

/** The front's memory, by its tables: who there is, what proves them, what they may do, and what they did. */
export class FrontStore {
  readonly accounts: Accounts;
  readonly tokens: Tokens;
  readonly keys: Keys;
  readonly rights: Rights;
  readonly madeApps: MadeApps;
  readonly audit: Audit;
  readonly #database: Sqlite;

  constructor(path: string, keeping: AuditKeeping = { days: 730 }) {
    const database = new Sqlite(path, "front", schema);
    this.#database = database;
    this.rights = new Rights(database);
    this.accounts = new Accounts(database, this.rights);
    this.tokens = new Tokens(database);
    this.keys = new Keys(database);
    this.madeApps = new MadeApps(database);
    this.audit = new Audit(database, keeping);
  }

  close(): void {
    this.#database.close();
  }

  /** An app that comes later with the same name is another one. */
  forgetApp(app: string): void {
    this.rights.forgetApp(app);
    this.madeApps.forget(app);
  }

  /** As if it had never been there. */
  unmakeApp(app: string): void {
    this.madeApps.unmake(app);
    this.rights.forgetApp(app);
  }
}
