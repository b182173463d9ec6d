import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import Database from "libsql";
import { describe, expect, it, onTestFinished } from "vitest";
import { programRoot } from "../../../src/config/config.ts";
import { AgentStore } from "../../../src/agent/store/store.ts";
import { FrontStore } from "../../../src/front/store/store.ts";
import { faultsOf, queriesIn } from "../../support/queries.ts";
import { temporaryFolder } from "../../support/unit-folder.ts";

const stores = { agent: AgentStore, front: FrontStore };

function databaseOf(store: keyof typeof stores): Database.Database {
  const path = join(temporaryFolder(), "store.db");
  new stores[store](path).close();
  const database = new Database(path);
  onTestFinished(() => void database.close());
  return database;
}

function sourceOf(store: string): string {
  const folder = join(programRoot, "src", store, "store");
  return readdirSync(folder)
    .filter((name) => name !== "schema.ts")
    .map((name) => readFileSync(join(folder, name), "utf8"))
    .join("\n");
}

/** What is put together when it runs: a table and its columns by name. */
const putTogether = /\$\{/;

describe.each(["agent", "front"] as const)("the %s's queries", (store) => {
  const queries = queriesIn(sourceOf(store));

  it("are found", () => {
    expect(queries.length).toBeGreaterThan(15);
    expect(queries.filter((query) => putTogether.test(query)).length).toBeLessThan(5);
  });

  it("name their columns, and never look through, or sort, what grows with time", () => {
    const database = databaseOf(store);

    const faults = queries
      .filter((query) => !putTogether.test(query))
      .map((query) => [query, faultsOf(database, query)] as const)
      .filter(([, found]) => found.length > 0);

    expect(faults).toEqual([]);
  });
});

describe("a query would be refused that", () => {
  it.each([
    ["takes all columns", "SELECT * FROM deploy WHERE id = ?"],
    ["takes all of one table's", "SELECT step.* FROM step WHERE deploy = ?"],
    ["takes all beside others", "SELECT 1, * FROM instance"],
    ["looks at every deploy", "SELECT id FROM deploy WHERE account = ?"],
    ["looks at every deploy for a state", "SELECT id FROM deploy WHERE state = 'refused'"],
    ["counts", "SELECT count(*) FROM deploy WHERE reason = 'push'"],
    ["changes by what has no index", "UPDATE deploy SET note = '' WHERE subject = ?"],
    ["looks at every step", "SELECT name FROM step WHERE name = 'boot'"],
    ["groups a history", "SELECT max(id) FROM deploy WHERE instance = ? GROUP BY subject"],
    ["sorts a history", "SELECT id FROM deploy WHERE instance = ? ORDER BY milliseconds LIMIT 1"],
    ["is about all environments", "SELECT packages FROM environment WHERE hash = ?"],
  ])("%s", (_, query) => {
    expect(faultsOf(databaseOf("agent"), query)).not.toEqual([]);
  });

  it("looks through the audit log", () => {
    expect(faultsOf(databaseOf("front"), "SELECT id FROM audit WHERE account = ?")).not.toEqual([]);
  });

  it("would be found among others, with its constants put in", () => {
    const source =
      'const all = "*";\nthis.#all(`SELECT ${all} FROM deploy`); this.#get("SELECT id FROM app");';

    expect(queriesIn(source)).toEqual(["SELECT * FROM deploy", "SELECT id FROM app"]);
  });
});
