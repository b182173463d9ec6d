import { readFileSync } from "node:fs";
import type { Reporter, TestModule } from "vitest/node";
import { caseNumbers, casesLeftOut, casesOf } from "../support/catalogue.ts";

interface Line {
  passed: number;
  failed: number;
}

/** After the hostile tests: what came of each number of the catalogue. */
export class CatalogueTable implements Reporter {
  onTestRunEnd(modules: readonly TestModule[]): void {
    const lines = new Map<string, Line>();
    for (const module of modules.filter(({ project }) => project.name === "hostile"))
      for (const test of module.children.allTests()) {
        const { state } = test.result();
        if (state !== "passed" && state !== "failed") continue;
        for (const number of casesOf(test.fullName)) {
          const line = lines.get(number) ?? { passed: 0, failed: 0 };
          line[state] += 1;
          lines.set(number, line);
        }
      }
    if (lines.size > 0) console.log(tableOf(lines));
  }
}

function tableOf(lines: Map<string, Line>): string {
  const page = readFileSync(new URL("../../docs/security.md", import.meta.url), "utf8");
  const leftOut = casesLeftOut(page);
  const more = [...lines.keys()].filter((number) => !caseNumbers.includes(number)).sort();
  const rows = [...caseNumbers, ...more].map((number) => {
    const { passed, failed } = lines.get(number) ?? { passed: 0, failed: 0 };
    const reason = leftOut.get(number);
    const outcome =
      failed > 0
        ? `FAILED, ${failed} of ${passed + failed} tests`
        : passed > 0
          ? `as expected, ${passed} ${passed === 1 ? "test" : "tests"}`
          : reason === undefined
            ? "not tried in this run"
            : `not tried: ${reason}`;
    return `${number.padEnd(4)} ${outcome}`;
  });
  return `\nThe catalogue, by number:\n${rows.join("\n")}\n`;
}
