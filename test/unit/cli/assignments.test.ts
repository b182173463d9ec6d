import { Readable } from "node:stream";
import { describe, expect, it } from "vitest";
import { readAssignments } from "../../../src/cli/assignments.ts";
import { readInput } from "../../../src/cli/input.ts";

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
  ])("%j are %j", async (words, assigned) => {
    expect(await readAssignments(words, "VARIABLE_INVALID", unread)).toEqual(assigned);
  });

  it.each(["", "=", "=x"])("%j is none, and is refused by the code that fits", async (word) => {
    for (const code of ["VARIABLE_INVALID", "OPTION_INVALID"] as const) {
      await expect(readAssignments(["B=1", word], code, unread)).rejects.toMatchObject({
        code,
        message: `${JSON.stringify(word)} is not NAME=VALUE`,
      });
    }
  });

  it("are not mistaken for what every object has", async () => {
    const assigned = await readAssignments(["__proto__=x"], "VARIABLE_INVALID", unread);

    expect(Object.entries(assigned)).toEqual([["__proto__", "x"]]);
  });

  it("that might hold a secret are cut where they are shown", async () => {
    const words = [`=${"x".repeat(500)}`];

    await expect(readAssignments(words, "VARIABLE_INVALID", unread)).rejects.toThrow(
      `"=${"x".repeat(59)}" is not NAME=VALUE`,
    );
  });
});

describe("a name that stands alone", () => {
  it("has its value read, beside others that have theirs", async () => {
    const asked: string[] = [];
    const read = (name: string): Promise<string> => {
      asked.push(name);
      return Promise.resolve("a=secret");
    };

    const assigned = await readAssignments(["A=1", "KEY", "B="], "VARIABLE_INVALID", read);

    expect(assigned).toEqual({ A: "1", KEY: "a=secret", B: "" });
    expect(asked).toEqual(["KEY"]);
  });

  it("is one: of two, nobody could say whose value it is", async () => {
    await expect(
      readAssignments(["A", "B", "C=1"], "OPTION_INVALID", unread),
    ).rejects.toMatchObject({
      code: "OPTION_INVALID",
      message: '"A", "B": only one value can be read; write NAME=VALUE',
    });
  });

  it("gets no empty value, which somebody would have to write", async () => {
    const nothing = (): Promise<string> => Promise.resolve("");

    await expect(readAssignments(["KEY"], "OPTION_INVALID", nothing)).rejects.toMatchObject({
      message: 'standard input has no value for "KEY"',
      hint: expect.stringContaining("KEY= ") as string,
    });
  });
});

describe("what is read from standard input", () => {
  it("is all of it, as it came", async () => {
    expect(await readInput(Readable.from([Buffer.from("one\n"), Buffer.from("two\n")]))).toBe(
      "one\ntwo\n",
    );
  });

  it("is not held beyond what any value may have", async () => {
    let read = 0;
    async function* endless(): AsyncGenerator<Buffer> {
      for (;;) {
        read += 1;
        yield await Promise.resolve(Buffer.alloc(65_536, "x"));
      }
    }

    expect(await readInput(endless())).toHaveLength(5 * 65_536);
    expect(read).toBe(5);
  });
});

function unread(name: string): Promise<string> {
  throw new Error(`${name} is read`);
}
