import { describe, expect, it } from "vitest";
import { parseDeviations, parseResults, unexpected } from "../git/results.ts";

const said = `ok 1 - clone
not ok 2 - push
#	git push
ok 3 # skip push to a terminal (missing TTY)
not ok 4 - push a tag
# failed 2 among 4 test(s)
1..4
`;

describe("what came of a script of git's", () => {
  it("is read case by case", () => {
    expect(parseResults(said)).toEqual([
      { title: "clone", outcome: "passed" },
      { title: "push", outcome: "failed" },
      { title: "push to a terminal", outcome: "skipped" },
      { title: "push a tag", outcome: "failed" },
    ]);
  });

  it.each([
    ["was cut short", said.replace("1..4\n", "")],
    ["planned more than it ran", said.replace("1..4", "1..5")],
    ["was left out as a whole", "1..0 # SKIP no web server found\n"],
    ["said nothing", ""],
  ])("is nothing to judge by where it %s", (_, text) => {
    expect(() => parseResults(text)).toThrow("did not get to its end");
  });

  it("is wrong where it fails and is not named, or is named and passes", () => {
    const page = "| t5541 | push | a reason |\n| t5541 | clone | a reason |\n";

    expect(unexpected(parseResults(said), parseDeviations(page))).toEqual({
      failed: ["push a tag"],
      passed: ["clone"],
    });
  });

  it("is as expected where a case that is named is skipped, or not there", () => {
    const page = ["push", "push a tag", "push to a terminal", "push to the moon"]
      .map((title) => `| t5541 | ${title} | a reason |\n`)
      .join("");

    expect(unexpected(parseResults(said), parseDeviations(page))).toEqual({
      failed: [],
      passed: [],
    });
  });
});
