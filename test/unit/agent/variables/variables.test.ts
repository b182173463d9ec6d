import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { LocalSystem } from "../../../../src/system/system.ts";
import {
  adoptVariables,
  bringBackVariables,
  changedVariables,
  dropProposedVariables,
  expectVariablesChange,
  findProposedVariables,
  forgetFormerVariables,
  mendVariables,
  proposedVariables,
  readVariables,
  writeVariables,
} from "../../../../src/agent/variables/variables.ts";
import { temporaryFolder } from "../../../support/unit-folder.ts";
import { isRoot, nobody } from "../../../support/unit-identity.ts";

const system = new LocalSystem();

function variablesFolder(): string {
  return join(temporaryFolder(), "variables");
}

function write(folder: string, variables: Record<string, string>): Promise<void> {
  return writeVariables(system, folder, new Map(Object.entries(variables)), nobody);
}

describe("an app's variables", () => {
  const values = {
    GREETING: "good morning",
    EMPTY: "",
    LINES: "-----BEGIN KEY-----\nabc\n-----END KEY-----\n",
    MAGIC: "$(id) @(exec://id) %n %(key) %%",
    QUOTES: `"'\\`,
    BLANKS: "  x  ",
    LETTERS: "ü 世 😀",
  };

  it("are a file each, which holds the value to the letter", async () => {
    const folder = variablesFolder();

    await write(folder, values);

    expect(readdirSync(folder).sort()).toEqual(Object.keys(values).sort());
    for (const [name, value] of Object.entries(values))
      expect(readFileSync(join(folder, name), "utf8")).toBe(value);
    expect(Object.fromEntries(await readVariables(folder))).toEqual(values);
  });

  it("can be read by root and the app, and by nobody else", async () => {
    const folder = variablesFolder();

    await write(folder, values);

    for (const [path, mode] of [
      [folder, 0o750],
      [join(folder, "GREETING"), 0o640],
    ] as const) {
      expect(statSync(path).mode & 0o7777).toBe(mode);
      if (isRoot) expect(statSync(path)).toMatchObject({ uid: 0, gid: nobody.gid });
    }
  });

  it("are written anew as a whole: what is not among them is gone", async () => {
    const folder = variablesFolder();
    await write(folder, { OLD: "1", BOTH: "1" });

    await write(folder, { BOTH: "2", NEW: "1" });

    expect(Object.fromEntries(await readVariables(folder))).toEqual({ BOTH: "2", NEW: "1" });
  });

  it("are written anew also where somebody has put a folder among them", async () => {
    const folder = variablesFolder();
    await write(folder, values);
    mkdirSync(join(folder, "aside"));
    writeFileSync(join(folder, "aside", "file"), "");

    await write(folder, { ONE: "1" });

    expect(readdirSync(folder)).toEqual(["ONE"]);
  });

  it("are none where there is no folder, and no file that is none of theirs", async () => {
    const folder = variablesFolder();
    const before = await readVariables(folder);
    mkdirSync(folder);
    writeFileSync(join(folder, ".swp"), "");
    writeFileSync(join(folder, "A-B"), "");
    writeFileSync(join(folder, "A"), "1");

    expect(before.size).toBe(0);
    expect([...(await readVariables(folder))]).toEqual([["A", "1"]]);
  });
});

describe("a change of variables", () => {
  it("sets and unsets, and leaves the others and the former variables as they are", () => {
    const before = new Map([
      ["A", "1"],
      ["B", "1"],
      ["C", "1"],
    ]);

    const after = changedVariables(before, { set: { B: "2", D: "1" }, unset: ["C", "NOSUCH"] });

    expect(Object.fromEntries(after)).toEqual({ A: "1", B: "2", D: "1" });
    expect(Object.fromEntries(before)).toEqual({ A: "1", B: "1", C: "1" });
  });

  it("is taken as it is where every name and value may be", () => {
    const change = { set: { A: "x\ny", PYTHONPATH: "/x", B: " b" }, unset: ["C"] };

    expect(expectVariablesChange(change)).toBe(change);
  });

  it.each(["", "x ", "x\n", " "])("may not hold %j, of which uWSGI would drop a part", (value) => {
    expect(() => expectVariablesChange({ set: { A: value }, unset: [] })).toThrow(
      expect.objectContaining({ code: "VARIABLE_INVALID" }),
    );
  });

  it.each(["UWSGI_FILE", "REEVE_DATA", "GIT_DIR", "LD_PRELOAD", "PATH", "HOME", "PYTHONHOME"])(
    "may neither set nor unset %s",
    (name) => {
      for (const change of [
        { set: { [name]: "x" }, unset: [] },
        { set: {}, unset: [name] },
      ]) {
        expect(() => expectVariablesChange(change)).toThrow(
          expect.objectContaining({
            code: "VARIABLE_INVALID",
            message: `${name} is not the app's to set: reeve or uWSGI act on it`,
          }),
        );
      }
    },
  );

  it.each(["", "1A", "a-b", "../A", "A/B", "A=B", "A\n", "."])(
    "may not have the name %j, which could be another file's",
    (name) => {
      expect(() => expectVariablesChange({ set: { [name]: "x" }, unset: [] })).toThrow(
        expect.objectContaining({ code: "VARIABLE_INVALID" }),
      );
      expect(() => expectVariablesChange({ set: {}, unset: [name] })).toThrow(
        expect.objectContaining({ code: "VARIABLE_INVALID" }),
      );
    },
  );

  it.each([
    ["a zero byte", "a\0b"],
    ["more than 64 KiB", "x".repeat(64 * 1024 + 1)],
  ])("may not have a value with %s, and says so without the value", (_, value) => {
    expect(() => expectVariablesChange({ set: { A: value }, unset: [] })).toThrow(
      expect.objectContaining({
        code: "VARIABLE_INVALID",
        message: "the value of A holds a zero byte or is longer than 64 KiB",
      }),
    );
  });
});

describe("variables that wait for their release to be proven", () => {
  const owner = { system, app: nobody };

  async function adopt(folder: string, deploy = 7): Promise<void> {
    await adoptVariables(owner, folder, deploy);
    await forgetFormerVariables(system, folder);
  }

  it("take the place of the former ones, also of those that are gone", async () => {
    const folder = variablesFolder();
    await write(folder, { A: "1", OLD: "1", OLDER: "1" });
    await write(proposedVariables(folder, 7), { A: "2", NEW: "1" });

    await adopt(folder);

    expect(Object.fromEntries(await readVariables(folder))).toEqual({ A: "2", NEW: "1" });
    expect(readdirSync(join(folder, "..")).sort()).toEqual(["variables", "variables.next-7"]);
  });

  it("can be taken back as long as the former ones are there, also when one of both was cut off", async () => {
    for (const stop of ["before", "between", "after", "taking them back"]) {
      const folder = variablesFolder();
      await write(folder, { A: "1" });
      await write(proposedVariables(folder, 7), { A: "2" });
      if (stop === "between") renameSync(folder, `${folder}.former`);
      if (stop === "after" || stop === "taking them back") await adoptVariables(owner, folder, 7);
      if (stop === "taking them back") renameSync(folder, `${folder}.coming`);

      await bringBackVariables(system, folder);
      await mendVariables(system, folder);

      expect(Object.fromEntries(await readVariables(folder)), stop).toEqual({ A: "1" });
      expect(existsSync(`${folder}.coming`), stop).toBe(false);
    }
  });

  it("stay beside them for the understudy, which may have to start once more", async () => {
    const folder = variablesFolder();
    await write(proposedVariables(folder, 7), { A: "2" });
    await write(proposedVariables(folder, 12), { A: "3" });

    await adopt(folder, 12);

    expect((await findProposedVariables(folder)).sort()).toEqual([12, 7]);
    expect(Object.fromEntries(await readVariables(proposedVariables(folder, 12)))).toEqual({
      A: "3",
    });
  });

  it("come with what reeve says of the release, which is none of the app's variables", async () => {
    const folder = variablesFolder();
    await write(proposedVariables(folder, 7), { A: "1", REEVE_COMMIT: "c0ffee" });

    await adopt(folder);

    expect(Object.fromEntries(await readVariables(folder))).toEqual({ A: "1" });
    expect(readFileSync(join(folder, "REEVE_COMMIT"), "utf8")).toBe("c0ffee");
  });

  it("can be the first ones", async () => {
    const folder = variablesFolder();
    await write(proposedVariables(folder, 7), { A: "1" });

    await adopt(folder);

    expect(Object.fromEntries(await readVariables(folder))).toEqual({ A: "1" });
  });

  it("are adopted to the end after a stop between the two renames", async () => {
    const folder = variablesFolder();
    await write(`${folder}.former`, { A: "1", OLD: "1" });
    await write(proposedVariables(folder, 7), { A: "2" });

    await adopt(folder);

    expect(Object.fromEntries(await readVariables(folder))).toEqual({ A: "2" });
    expect(readdirSync(join(folder, "..")).sort()).toEqual(["variables", "variables.next-7"]);
  });

  it("are adopted once: without any, nothing changes", async () => {
    const folder = variablesFolder();
    await write(folder, { A: "1" });

    await adopt(folder);

    expect(Object.fromEntries(await readVariables(folder))).toEqual({ A: "1" });
  });

  it("are dropped with a release that is refused, and the former ones stay", async () => {
    const folder = variablesFolder();
    await write(folder, { A: "1" });
    await write(proposedVariables(folder, 7), { A: "2" });

    await dropProposedVariables(system, folder, 7);
    await dropProposedVariables(system, folder, 7);

    expect(existsSync(proposedVariables(folder, 7))).toBe(false);
    expect(Object.fromEntries(await readVariables(folder))).toEqual({ A: "1" });
  });
});
