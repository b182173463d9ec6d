import { describe, expect, it } from "vitest";
import fc from "fast-check";
import { splitWords } from "../../../src/protocol/ssh-words.ts";

describe("a command line over SSH", () => {
  it.each([
    ["apps", ["apps"]],
    ["  logs   demo\t-f ", ["logs", "demo", "-f"]],
    [`vars demo set 'A=b c' "D=e'f"`, ["vars", "demo", "set", "A=b c", "D=e'f"]],
    [`a\\ b '' "" x`, ["a b", "", "", "x"]],
    [`"a\\"b" 'a\\b'`, [`a"b`, "a\\b"]],
    [`x'y'"z"`, ["xyz"]],
    ["$(id) `id` ; & | > * ~ $HOME", ["$(id)", "`id`", ";", "&", "|", ">", "*", "~", "$HOME"]],
    ["", []],
    ["apps 'open", undefined],
    [`apps "open`, undefined],
    ["apps \\", undefined],
    ["apps\nshow", undefined],
    ["apps\0", undefined],
    ["apps \u001b[31m", undefined],
    [`apps ${"x".repeat(100_000)}`, undefined],
  ])("%j is these words: %j", (line, words) => {
    expect(splitWords(line)).toEqual(words);
  });

  it("gives back any words that were quoted as a shell quotes them", () => {
    const word = fc.string({ unit: "grapheme" }).filter((text) => !/\p{Cc}/u.test(text));

    fc.assert(
      fc.property(fc.array(word), (words) => {
        const line = words.map((text) => `'${text.replaceAll("'", `'\\''`)}'`).join(" ");
        expect(splitWords(line)).toEqual(words);
      }),
    );
  });
});
