import { describe, expect, it } from "vitest";
import { changed, isUntouched, sign } from "../../../src/system/signature.ts";

const text = "; demo\n; Written by reeve (unsigned). Edit it.\n[uwsgi]\nworkers = 2\n";

describe("a file that reeve writes", () => {
  it("carries the checksum of its text in the place that the template left", () => {
    expect(sign(text)).toMatch(/^; demo\n; Written by reeve \([0-9a-f]{12}\)\. Edit it\.\n/);
    expect(isUntouched(sign(text))).toBe(true);
  });

  it("is the same text with the same checksum every time", () => {
    expect(sign(text)).toBe(sign(text));
  });

  it.each([
    ["a value", (signed: string) => signed.replace("workers = 2", "workers = 4")],
    ["a line at the end", (signed: string) => `${signed}; mine\n`],
    ["a missing line", (signed: string) => signed.replace("[uwsgi]\n", "")],
    ["a line break at the end", (signed: string) => signed.trimEnd()],
    [
      "the checksum itself",
      (signed: string) => signed.replace(/\([0-9a-f]{12}\)/, "(000000000000)"),
    ],
    ["no checksum", (signed: string) => signed.replace(/ \([0-9a-f]{12}\)/, "")],
  ])("is known as edited by %s", (_, edit) => {
    expect(isUntouched(edit(sign(text)))).toBe(false);
  });

  it("that somebody wrote without reeve counts as edited, an empty one too", () => {
    expect(isUntouched("[uwsgi]\nmodule = app:app\n")).toBe(false);
    expect(isUntouched("")).toBe(false);
  });

  it("that reeve changes is as untouched as it was before, or as edited", () => {
    const change = (former: string): string => former.replace("workers = 2", "workers = 4");

    expect(changed(sign(text), change)).toBe(sign(change(text)));
    expect(changed(`${sign(text)}; mine\n`, change)).toBe(`${change(sign(text))}; mine\n`);
  });

  it("that was edited and put back is untouched again", () => {
    const edited = sign(text).replace("workers = 2", "workers = 4");

    expect(isUntouched(edited.replace("workers = 4", "workers = 2"))).toBe(true);
  });
});
