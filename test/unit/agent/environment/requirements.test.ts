import { describe, expect, it } from "vitest";
import {
  constraintsOf,
  environmentHash,
  type EnvironmentInputs,
} from "../../../../src/agent/environment/requirements.ts";

const inputs: EnvironmentInputs = {
  files: [
    { path: "requirements.txt", text: "-r base.txt\nflask==3.1.3\n" },
    { path: "base.txt", text: "click==8.5.1\n" },
  ],
  tree: undefined,
  abi: "cpython-311",
  installer: "uv",
  variables: {},
  indexes: ["https://u:secret@pypi.example.org/simple", ""],
  generation: 0,
};

describe("an environment's name", () => {
  it("is sixteen digits, the same for the same inputs", () => {
    expect(environmentHash(inputs)).toMatch(/^[0-9a-f]{16}$/);
    expect(environmentHash(structuredClone(inputs))).toBe(environmentHash(inputs));
  });

  it.each<[string, Partial<EnvironmentInputs>]>([
    ["the text", { files: [{ path: "requirements.txt", text: "flask==3.1.2\n" }] }],
    ["a line's end", { files: inputs.files.map((file) => ({ ...file, text: `${file.text} ` })) }],
    [
      "the text of an included file",
      { files: [inputs.files[0]!, { path: "base.txt", text: "click==8.5.0\n" }] },
    ],
    [
      "the path of an included file",
      { files: [inputs.files[0]!, { ...inputs.files[1]!, path: "b.txt" }] },
    ],
    ["the files", { files: [inputs.files[0]!] }],
    ["that there are none", { files: [] }],
    ["the tree that is installed from", { tree: "ab".repeat(20) }],
    ["the interpreter", { abi: "cpython-313" }],
    ["the installer", { installer: "pip" }],
    ["the index", { indexes: ["https://other.example.org/simple", ""] }],
    ["a second index", { indexes: [inputs.indexes[0]!, "https://more.example.org"] }],
    ["the order of the indexes", { indexes: [...inputs.indexes].reverse() }],
    ["the generation that a rebuild raises", { generation: 1 }],
  ])("changes with %s", (_, change) => {
    expect(environmentHash({ ...inputs, ...change })).not.toBe(environmentHash(inputs));
  });

  it("does not change with the credentials for the index", () => {
    const indexes = ["https://v:other@pypi.example.org/simple", ""];

    expect(environmentHash({ ...inputs, indexes })).toBe(environmentHash(inputs));
  });

  it("tells apart what would read the same when it is joined", () => {
    const one = [{ path: "a", text: "b\nc" }];
    const two = [
      { path: "a", text: "b" },
      { path: "c", text: "" },
    ];

    expect(environmentHash({ ...inputs, files: one })).not.toBe(
      environmentHash({ ...inputs, files: two }),
    );
  });
});

describe("what a rebuild is held to", () => {
  it("is the lines that pin a version, and none that names a place", () => {
    const packages = [
      "bottle==0.13.4",
      "My.Package_1==1.0+local",
      "-e /srv/demo/x",
      "shop @ file:///srv/demo/envs/.cache/tree",
      "git-thing @ git+https://example.org/x.git@abc",
      "# a comment",
      "",
    ].join("\n");

    expect(constraintsOf(packages)).toBe("bottle==0.13.4\nMy.Package_1==1.0+local");
  });

  it("is nothing where nothing was pinned", () => {
    expect(constraintsOf("")).toBe("");
  });
});
