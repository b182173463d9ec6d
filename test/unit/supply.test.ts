import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { programRoot } from "../../src/config/config.ts";

const read = (path: string): string => readFileSync(join(programRoot, path), "utf8");

describe("what reeve is installed from", () => {
  it("runs no script of a package that npm unpacks", () => {
    const words = ["config", "get", "ignore-scripts"];

    expect(execFileSync("npm", words, { cwd: programRoot, encoding: "utf8" }).trim()).toBe("true");
  });

  it("has uv as a binary, and by its hashes alone", () => {
    const [requirement = "", ...hashes] = read("scripts/uv.txt")
      .split("\n")
      .map((line) => line.replace(/ \\$/, "").trim())
      .filter((line) => line !== "" && !line.startsWith("#"));
    const setup = read("scripts/setup.sh").replaceAll("\\\n", " ");

    expect(requirement).toMatch(/^uv==[\d.]+$/);
    expect(hashes.length).toBeGreaterThan(2);
    for (const hash of hashes) expect(hash).toMatch(/^--hash=sha256:[0-9a-f]{64}$/);
    const installing = setup.split("\n").filter((line) => /\bpip" install\b/.test(line));
    expect(installing).toHaveLength(1);
    expect(installing[0]).toMatch(
      /--require-hashes\s+--only-binary :all:\s+--requirement scripts\/uv\.txt/,
    );
  });
});
