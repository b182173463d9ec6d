import Database from "libsql";

/** Tables whose rows come with time, and go with nothing but the app or their age. */
const growing = ["deploy", "step", "environment", "audit"];

/** Every word of SQL that a source holds, its constants put in where it names them. */
export function queriesIn(source: string): string[] {
  const constants = new Map<string, string>();
  for (const [, name = "", , text = ""] of source.matchAll(
    /const (\w+)\s*=\s*([`"])((?:(?!\2).)*)\2/gs,
  ))
    constants.set(name, text);
  const filled = (text: string): string =>
    text.replaceAll(/\$\{(\w+)\}/g, (whole, name: string) => {
      const constant = constants.get(name);
      return constant === undefined ? whole : filled(constant);
    });
  return [...source.matchAll(/([`"])((?:(?!\1).)*)\1/gs)]
    .map(([, , text = ""]) => text.trim())
    .filter((text) => /^(SELECT|WITH|UPDATE|DELETE|INSERT)\b/.test(text))
    .map(filled);
}

/** What is wrong with a query on this database; nothing where it names its columns and looks only at what it wants. */
export function faultsOf(database: Database.Database, query: string): string[] {
  const faults: string[] = [];
  if (/(?:\bSELECT\s+|,\s*|\.)\*/i.test(query)) faults.push("takes all columns, whatever they are");
  const plan = database.prepare(`EXPLAIN QUERY PLAN ${query}`).all([]) as { detail: string }[];
  const names = new Map<string, string>(growing.map((table) => [table, table]));
  for (const [, table = "", alias = ""] of query.matchAll(/\b(?:FROM|JOIN) (\w+) AS (\w+)/gi))
    if (growing.includes(table)) names.set(alias, table);
  for (const { detail } of plan) {
    const [, verb = "", table = "", rest = ""] =
      /^(SCAN|SEARCH) (\w+)((?: .*)?)$/.exec(detail) ?? [];
    if (!names.has(table)) continue;
    const isBounded =
      /\bLIMIT\b/i.test(query) || /USING (COVERING )?INDEX deploy_unfinished/.test(rest);
    if (verb === "SCAN" && !isBounded) faults.push(`looks through all of ${table}: ${detail}`);
  }
  const isSorted = plan.some(({ detail }) => detail.includes("USE TEMP B-TREE FOR"));
  if (isSorted && plan.some(({ detail }) => growing.some((table) => detail.includes(` ${table}`))))
    faults.push("sorts what grows");
  return faults;
}
