/** What came of one case of a script of git's. */
export interface Result {
  title: string;
  outcome: "passed" | "failed" | "skipped";
}

/** A case that cannot pass, and why: a row of the table in docs/git-suite.md. */
export interface Deviation {
  script: string;
  title: string;
  reason: string;
}

/** The lines of a script (Test Anything Protocol). One that did not get to its end, or ran nothing, says nothing. */
export function parseResults(text: string): Result[] {
  const results = [
    ...text.matchAll(/^(ok|not ok) \d+ (?:- (.*)|# skip (.*) \(missing .*\))$/gm),
  ].map(([, word, ran, skipped]): Result => {
    if (ran === undefined) return { title: skipped ?? "", outcome: "skipped" };
    return { title: ran, outcome: word === "ok" ? "passed" : "failed" };
  });
  const planned = /^1\.\.(\d+)/m.exec(text)?.[1];
  if (results.length > 0 && planned === String(results.length)) return results;
  throw new Error(`the script did not get to its end:\n${text.slice(-2000)}`);
}

export function parseDeviations(page: string): Deviation[] {
  return [...page.matchAll(/^\| (t\d+) \| (.+?) \| (.+) \|$/gm)].map(
    ([, script = "", title = "", reason = ""]) => ({ script, title, reason }),
  );
}

/** What should not be: a case that fails and is not named, and one that is named and passes. */
export function unexpected(
  results: Result[],
  named: Deviation[],
): { failed: string[]; passed: string[] } {
  const isNamed = (title: string): boolean => named.some((one) => one.title === title);
  return {
    failed: titlesOf(results, "failed").filter((title) => !isNamed(title)),
    passed: titlesOf(results, "passed").filter(isNamed),
  };
}

export function titlesOf(results: Result[], outcome: Result["outcome"]): string[] {
  return results.filter((one) => one.outcome === outcome).map(({ title }) => title);
}
