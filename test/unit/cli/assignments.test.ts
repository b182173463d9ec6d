import { describe, expect, it } from "vitest";
import { parseAssignments } from "../../../src/cli/assignments.ts";

describe("assignments on a command line", () => {
  it.each([
    [["A=1"], { A: "1" }],
    [["A=1", "B=2"], { A: "1", B: "2" }],
    [["A="], { A: "" }],
    [["A=b=c=d"], { A: "b=c=d" }],
    [["A= x "], { A: " x " }],
    [["A=one\ntwo"], { A: "one\ntwo" }],
    [["A=$(id)"], { A: "$(id)" }],
    [["A=1", "A=2"], { A: "2" }],
    [[], {}],
  ])("%j are %j", (words, assigned) => {
    expect(parseAssignments(words, "SETTING_INVALID")).toEqual(assigned);
  });

  it.each(["A", "", "=", "=x"])("%j is none, and is refused by the code that fits", (word) => {
    for (const code of ["SETTING_INVALID", "OPTION_INVALID"] as const) {
      expect(() => parseAssignments(["B=1", word], code)).toThrow(
        expect.objectContaining({ code, message: `${JSON.stringify(word)} is not NAME=VALUE` }),
      );
    }
  });

  it("are not mistaken for what every object has", () => {
    expect(Object.entries(parseAssignments(["__proto__=x"], "SETTING_INVALID"))).toEqual([
      ["__proto__", "x"],
    ]);
  });

  it("that might hold a secret are cut where they are shown", () => {
    expect(() => parseAssignments(["x".repeat(500)], "SETTING_INVALID")).toThrow(
      `"${"x".repeat(60)}" is not NAME=VALUE`,
    );
  });
});
