import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { programRoot } from "../../src/config/config.ts";
import { caseNumbers, casesIn, casesLeftOut, casesOf } from "../support/catalogue.ts";

const folder = join(programRoot, "test/hostile");
const tried = new Set(
  readdirSync(folder, { recursive: true, encoding: "utf8" })
    .filter((name) => name.endsWith(".ts"))
    .flatMap((name) => casesIn(readFileSync(join(folder, name), "utf8"))),
);
const leftOut = casesLeftOut(readFileSync(join(programRoot, "docs/security.md"), "utf8"));

describe("the catalogue of hostile cases", () => {
  it.each(caseNumbers)("%s is tried, or docs/security.md says why not", (number) => {
    expect(tried.has(number) || leftOut.has(number)).toBe(true);
  });

  it("has no case both tried and left out, and no reason for one that there is not", () => {
    const both = [...leftOut.keys()].filter(
      (number) => tried.has(number) || !caseNumbers.includes(number),
    );

    expect(both).toEqual([]);
  });

  it("reads the numbers from the beginning of a title", () => {
    expect(casesOf("the protocol > H1: an encoding > A9 is not meant")).toEqual(["H1"]);
    expect(casesOf("S3, S5: an environment > S3, H12: it")).toEqual(["S3", "S5", "S3", "H12"]);
  });
});
