import {
  chmodSync,
  cpSync,
  mkdtempSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Seen, Wanted } from "../../src/agent/converge/plan.ts";
import { pairOf, readPairs, writePairs, type Pair } from "../support/pairs.ts";
import { projectRoot } from "../support/server.ts";

/**
 * `npm run record:pairs`: the servers of this run are a copy whose plan writes down what it is asked. What they were
 * asked is added to the pairs from which the unit tests run the model of the plan.
 */
export default function setup(): (() => void) | undefined {
  if (process.env["RECORD"] !== "pairs") return undefined;
  const folder = mkdtempSync(join(tmpdir(), "reeve-recording-"));
  // The front's user has to get in.
  chmodSync(folder, 0o755);
  for (const name of ["dist", "hooks", "templates", "package.json", "package-lock.json"])
    cpSync(join(projectRoot, name), join(folder, name), { recursive: true });
  symlinkSync(join(projectRoot, "node_modules"), join(folder, "node_modules"));
  const asked = join(folder, "asked.jsonl");
  writeFileSync(asked, "");
  wrapPlan(join(folder, "dist/agent/converge"), asked);
  process.env["REEVE_TEST_PROGRAM"] = join(folder, "dist/main.js");

  return () => {
    try {
      writePairs([...readPairs(), ...pairsIn(readFileSync(asked, "utf8"))]);
    } finally {
      rmSync(folder, { recursive: true });
    }
  };
}

function pairsIn(lines: string): Pair[] {
  return lines
    .split("\n")
    .filter(Boolean)
    .map((line) => {
      const { wanted, seen } = JSON.parse(line) as { wanted: Wanted; seen: Seen };
      return pairOf(wanted, seen);
    });
}

/** Whatever refuses the writing, the plan is the same. */
function wrapPlan(converge: string, asked: string): void {
  renameSync(join(converge, "plan.js"), join(converge, "plan-itself.js"));
  writeFileSync(
    join(converge, "plan.js"),
    `import { appendFileSync } from "node:fs";
import { plan as planItself } from "./plan-itself.js";
export function plan(wanted, seen) {
  try {
    appendFileSync(${JSON.stringify(asked)}, JSON.stringify({ wanted, seen }) + "\\n");
  } catch {}
  return planItself(wanted, seen);
}
`,
  );
}
