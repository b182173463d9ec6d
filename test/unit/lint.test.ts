import { ESLint } from "eslint";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { programRoot } from "../../src/config/config.ts";

const eslint = new ESLint({ cwd: programRoot });
const isAboutTime = /^(regexp\/no-super-linear-(backtracking|move)|no-restricted-syntax)$/;

/** The rules of this kind that refuse a line, if it stood in a file of reeve's. */
async function refusals(line: string, file = "src/front/push/subject.ts"): Promise<string[]> {
  const [result] = await eslint.lintText(
    `export const planted = (text: string): unknown => ${line};\n`,
    {
      filePath: join(programRoot, file),
    },
  );
  const rules = result?.messages.map(({ ruleId }) => ruleId ?? "");
  return (rules ?? []).filter((rule) => isAboutTime.test(rule));
}

describe("the lint refuses what takes more time than its text is long", () => {
  it.each([
    String.raw`text.replace(/\s+$/, "")`,
    String.raw`text.replace(/\s*\n\s*/g, " ")`,
    String.raw`/^\s*([a-z]+)\s*:\s*(.*?)\s*$/.exec(text)`,
    String.raw`/^[A-Za-z0-9._-]+\s*(\[.*\])?\s*@\s*/.test(text)`,
    String.raw`/^[^#\n]*\sfilter=lfs(\s|$)/m.test(text)`,
    String.raw`/^(a+)+$/.test(text)`,
    String.raw`/(.*),(.*),(.*)$/.test(text)`,
    String.raw`/=+$/.test(text)`,
    String.raw`text.split(/ *, */)`,
    String.raw`text.match(/".*"$/)`,
    String.raw`text.search(/\/+$/)`,
    String.raw`text.replaceAll(/[ \t]+\n/g, "")`,
    "new RegExp(text)",
    'new RegExp(`^${text}$`, "m")',
    "RegExp(text).test(text)",
    String.raw`new RegExp("\\s+$").test(text)`,
  ])("%s", async (line) => {
    expect(await refusals(line)).not.toEqual([]);
  });

  it.each([
    String.raw`text.trimEnd()`,
    String.raw`/^\s*#/.test(text)`,
    String.raw`/^[a-z]+(-[a-z]+)*$/.test(text)`,
  ])("and lets pass what does not: %s", async (line) => {
    expect(await refusals(line)).toEqual([]);
  });

  it("in what looks at text beside the server as well", async () => {
    const line = String.raw`text.replace(/\s+$/, "")`;

    expect(await refusals(line, "test/support/server.ts")).not.toEqual([]);
    expect(await refusals(line, "bench/table.ts")).not.toEqual([]);
  });
});
