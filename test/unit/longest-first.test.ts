import { existsSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import type { TestSpecification, Vitest } from "vitest/node";
import { programRoot } from "../../src/config/config.ts";
import { LongestFirst, seconds } from "../longest-first.ts";

const project = (name: string, groupOrder: number): unknown => ({
  name,
  config: { isolate: true, sequence: { groupOrder } },
});
const unit = project("unit", 0);
const integration = project("integration", 1);
const hostile = project("hostile", 1);
const file = (project: unknown, path: string): TestSpecification =>
  ({ project, moduleId: join(programRoot, path) }) as unknown as TestSpecification;

const sequencer = new LongestFirst({
  config: { root: programRoot },
  cache: { getFileTestResults: () => undefined, getFileStats: () => ({ size: 1 }) },
} as unknown as Vitest);

describe("the order of the test files", () => {
  it("begins with the longest of those that run beside each other, of whatever project", async () => {
    const [longest = "", , shorter = ""] = Object.entries(seconds)
      .sort(([, one], [, other]) => other - one)
      .map(([path]) => path);
    const files = [
      file(integration, "test/nobody-knows.test.ts"),
      file(integration, shorter),
      file(unit, "test/quick.test.ts"),
      file(hostile, longest),
    ];

    const sorted = await sequencer.sort(files);

    expect(sorted.map((one) => files.indexOf(one))).toEqual([2, 3, 1, 0]);
  });

  it("knows no file that is gone", () => {
    expect(Object.keys(seconds).filter((path) => !existsSync(join(programRoot, path)))).toEqual([]);
  });
});
