import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import {
  objectProblems,
  refusalOfPack,
  untidyObjects,
} from "../../../../src/front/push/objects.ts";
import { shapes } from "../../../support/objects.ts";

const names = Object.keys(objectProblems);

/** No object, not in git 2.39, or larger than a test should push. */
const withoutShape = [
  "badRefFiletype",
  "badRefName",
  "gitattributesLarge",
  "gitattributesMissing",
  "gitmodulesLarge",
  "gitmodulesMissing",
  "largePathname",
  "missingTag",
  "missingType",
  "unknownType",
];

describe("what git may find in an object", () => {
  it("is judged, all that the installed git knows", () => {
    const listed = execFileSync("git", ["help", "--config-for-completion"]).toString().split("\n");
    const known = listed.flatMap((line) => /^receive\.fsck\.(\w+)$/.exec(line)?.[1] ?? []);

    expect(known.length).toBeGreaterThan(50);
    expect(names).toEqual(expect.arrayContaining(known.filter((name) => name !== "skipList")));
  });

  it("is tried, all that can be pushed", () => {
    expect([...Object.keys(shapes), ...withoutShape].toSorted()).toEqual(names.toSorted());
  });

  it("stands in the documentation as it is judged", () => {
    const text = readFileSync("docs/security.md", "utf8");
    const rows = [...text.matchAll(/^\| `(\w+)` \| (let in|refused) \|/gm)];

    expect(rows.map(([, name, verdict]) => [name, verdict === "let in"])).toEqual(
      names.map((name) => [name, untidyObjects.includes(name)]),
    );
  });
});

describe("what is said of a pack that git did not take", () => {
  const id = "1".repeat(40);
  const of = (name: string): string => `error: object ${id}: ${name}: words\nfatal: fsck error\n`;

  it.each([
    ["a known complaint", of("hasDot"), false, `the object ${id} has a file called . (hasDot)`],
    [
      "one of a later git",
      of("newIdea"),
      false,
      `the object ${id} is not as it should be (newIdea)`,
    ],
    ["of a shallow clone too", of("hasDot"), true, `the object ${id} has a file called . (hasDot)`],
    [
      "a tree that cannot be read",
      "fatal: empty filename in tree entry\n",
      false,
      "git cannot read what was pushed: empty filename in tree entry",
    ],
    [
      "something missing",
      `fatal: did not receive expected object ${id}\n`,
      false,
      `git cannot read what was pushed: did not receive expected object ${id}`,
    ],
  ])("%s is an object refused", (_, words, isShallow, message) => {
    expect(refusalOfPack(words, isShallow)).toMatchObject({ code: "OBJECT_REFUSED", message });
  });

  it("something missing is a shallow push, where it comes from a shallow clone", () => {
    const refusal = refusalOfPack("fatal: object of unexpected type\n", true);

    expect(refusal?.code).toBe("SHALLOW_PUSH");
  });

  it.each(["fatal: pack exceeds maximum allowed size (8.00 MiB)\n", "fatal: Out of memory\n", ""])(
    "a limit is git's to tell: %j",
    (words) => expect(refusalOfPack(words, true)).toBeUndefined(),
  );
});
