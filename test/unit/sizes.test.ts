import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, it } from "vitest";
import { projectRoot } from "../support/server.ts";

const longest = 400;
const median = 80;

it("no source has more lines than can be read at a sitting, in whatever language, and most have few", () => {
  const sources = readdirSync(join(projectRoot, "src"), { recursive: true, encoding: "utf8" });
  const sizes = sources
    .filter((path) => /\.(ts|py|pl)$/.test(path))
    .map((path) => ({ path, lines: linesOf(join(projectRoot, "src", path)) }))
    .sort((a, b) => a.lines - b.lines);

  expect(sizes.filter(({ lines }) => lines > longest)).toEqual([]);
  expect(sizes[Math.floor(sizes.length / 2)]?.lines).toBeLessThanOrEqual(median);
});

function linesOf(path: string): number {
  return readFileSync(path, "utf8").split("\n").length - 1;
}
