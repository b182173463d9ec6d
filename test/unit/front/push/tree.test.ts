import { describe, expect, it } from "vitest";
import { LocalSystem } from "../../../../src/system/system.ts";
import { CommitTree, parseReplies } from "../../../../src/front/push/tree.ts";
import { sharedFolder } from "../../../support/unit-folder.ts";
import { Repository, type Files } from "../../../support/unit-repository.ts";

const id = "a".repeat(40);

describe("what git says of a list of paths", () => {
  const info = (path: string) => ({ what: "info" as const, path });
  const contents = (path: string) => ({ what: "contents" as const, path });

  it("is read entry by entry", () => {
    const output = `${id} blob 12\n${id} tree 30\nmain:nosuch missing\n`;

    expect(parseReplies(output, [info("app.py"), info("shop"), contents("nosuch")])).toEqual([
      { path: "app.py", kind: "file", size: 12 },
      { path: "shop", kind: "folder", size: 30 },
      { path: "nosuch", kind: "absent", size: 0 },
    ]);
  });

  it("holds texts by their length, whatever they look like", () => {
    const text = Buffer.from(`${id} blob 3\nü\n\n`);
    const output = `${id} blob ${text.length}\n${text.toString("latin1")}\n${id} blob 12\n`;

    expect(parseReplies(output, [contents("needs"), info("app.py")])).toEqual([
      { path: "needs", kind: "file", size: text.length, bytes: text },
      { path: "app.py", kind: "file", size: 12 },
    ]);
  });

  it.each([
    ["symlink 11\n/etc/passwd\n", "outside"],
    ["symlink 5\na\nb\nc\n", "outside"],
    ["dangling 13\nmain:a/nosuch\n", "absent"],
    ["loop 6\nmain:a\n", "absent"],
    ["notdir 8\nmain:a/b\n", "absent"],
  ])("names the target of a link that leads to no file: %j", (lines, kind) => {
    const output = `${lines}${id} blob 12\n`;

    expect(parseReplies(output, [info("link"), info("app.py")])).toEqual([
      { path: "link", kind, size: 0 },
      { path: "app.py", kind: "file", size: 12 },
    ]);
  });

  it("is nothing for paths that it says nothing of", () => {
    const nothing = { kind: "absent", size: 0 };

    expect(parseReplies("", [info("app.py")])).toEqual([{ path: "app.py", ...nothing }]);
    expect(parseReplies(`${id} blob 1\n`, [info("two\nlines"), info("a")])).toEqual([
      { path: "two\nlines", ...nothing },
      { path: "a", kind: "file", size: 1 },
    ]);
  });
});

describe("a commit's tree", () => {
  const system = new LocalSystem();

  const repository = new Repository({ folder: sharedFolder() });

  function treeOf(files: Files): Promise<CommitTree> {
    return CommitTree.open(system, repository.git, repository.snapshot(files));
  }

  it("is read from git: what kind a path is, and how large", async () => {
    const tree = await treeOf({
      "app.py": "app = 1\n",
      "shop/x.py": "",
      inside: { link: "app.py" },
      outside: { link: "/etc/passwd" },
      above: { link: "../../etc/passwd" },
      dangling: { link: "nosuch" },
      loop: { link: "loop" },
    });

    const names = ["app.py", "shop", "inside", "outside", "above", "dangling", "loop", "no", "a b"];
    const entries = await tree.look(names);

    expect(entries.map(({ path, kind }) => `${path}: ${kind}`)).toEqual([
      "app.py: file",
      "shop: folder",
      "inside: file",
      "outside: outside",
      "above: outside",
      "dangling: absent",
      "loop: absent",
      "no: absent",
      "a b: absent",
    ]);
    expect(entries[0]?.size).toBe(8);
  });

  it.each(["", "x", "no break at the end", "a\n\nb\n\n", "ü 世 😀\n", "\n"])(
    "gives the text of a file to the letter: %j",
    async (text) => {
      expect(await (await treeOf({ Procfile: text })).read("Procfile")).toBe(text);
    },
  );

  it("gives the text that a link inside the tree leads to, and none from outside it", async () => {
    const tree = await treeOf({
      "requirements/base.txt": "flask\n",
      "requirements.txt": { link: "requirements/base.txt" },
      "secrets.txt": { link: "/etc/passwd" },
      "above.txt": { link: "../x" },
    });

    expect(await tree.read("requirements.txt")).toBe("flask\n");
    for (const path of ["secrets.txt", "above.txt"]) expect(await tree.read(path)).toBeUndefined();
  });

  it("gives no text of a folder, of nothing, or of what is too large for a Procfile", async () => {
    const tree = await treeOf({ "shop/x.py": "", large: "x".repeat(1024 * 1024 + 1) });

    for (const path of ["shop", "nosuch", "large", "two\nlines"])
      expect(await tree.read(path)).toBeUndefined();
  });

  it("is there as well where what everybody asks for is too large to be read", async () => {
    const tree = await treeOf({ "app.py": "", Procfile: "x".repeat(3 * 1024 * 1024) });

    expect(tree.subject).toBe("A change");
    expect(await tree.look(["app.py", "Procfile"])).toMatchObject([
      { kind: "file" },
      { kind: "file", size: 3 * 1024 * 1024 },
    ]);
    expect(await tree.read("Procfile")).toBeUndefined();
  });

  it("lists its folders by their names to the letter", async () => {
    const tree = await treeOf({
      "shop/x.py": "",
      "a b/x.py": "",
      "two\nlines/x.py": "",
      "über/x.py": "",
      "file.py": "",
      link: { link: "shop" },
    });

    expect(await tree.folders("")).toEqual(["a b", "shop", "two\nlines", "über"]);
  });

  it("lists the folders in one of them, and in a link none", async () => {
    const tree = await treeOf({
      "shop/one/two/x.py": "",
      "shop/other/x.py": "",
      "blog/x.py": "",
      link: { link: "shop" },
    });

    expect(await tree.folders("shop")).toEqual(["shop/one", "shop/other"]);
    expect(await tree.folders("link")).toEqual([]);
    expect(await tree.allFolders()).toEqual([
      "blog",
      "shop",
      "shop/one",
      "shop/one/two",
      "shop/other",
    ]);
  });
});
