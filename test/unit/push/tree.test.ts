import { describe, expect, it } from "vitest";
import { LocalHost } from "../../../src/host/host.ts";
import { CommitTree, parseEntries } from "../../../src/push/tree.ts";
import { sharedFolder } from "../../support/unit-folder.ts";
import { Repository, type Files } from "../../support/unit-repository.ts";

const id = "a".repeat(40);

describe("what git says of a list of paths", () => {
  it("is read entry by entry", () => {
    const output = `${id} blob 12\n${id} tree 30\nmain:nosuch missing\n`;

    expect(parseEntries(output, ["app.py", "shop", "nosuch"]).entries).toEqual([
      { path: "app.py", kind: "file", size: 12 },
      { path: "shop", kind: "folder", size: 30 },
      { path: "nosuch", kind: "absent", size: 0 },
    ]);
  });

  it.each([
    ["symlink 11\n/etc/passwd\n", "outside"],
    ["dangling 11\nmain:a/nosuch\n", "absent"],
    ["loop 6\nmain:a\n", "absent"],
    ["notdir 8\nmain:a/b\n", "absent"],
  ])("takes two lines for a link that leads to no file: %j", (lines, kind) => {
    const output = `${lines}${id} blob 12\n`;

    expect(parseEntries(output, ["link", "app.py"]).entries).toEqual([
      { path: "link", kind, size: 0 },
      { path: "app.py", kind: "file", size: 12 },
    ]);
  });

  it("is nothing for paths that it says nothing of", () => {
    expect(parseEntries("", ["app.py"]).entries).toEqual([
      { path: "app.py", kind: "absent", size: 0 },
    ]);
  });
});

describe("a commit's tree", () => {
  const host = new LocalHost();

  const repository = new Repository({ folder: sharedFolder() });

  function treeOf(files: Files): CommitTree {
    return new CommitTree(host, repository.git, repository.snapshot(files));
  }

  it("is read from git: what kind a path is, and how large", async () => {
    const tree = treeOf({
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
      expect((await treeOf({ Procfile: text }).read("Procfile")).text).toBe(text);
    },
  );

  it("gives the text that a link inside the tree leads to, and none from outside it", async () => {
    const tree = treeOf({
      "requirements/base.txt": "flask\n",
      "requirements.txt": { link: "requirements/base.txt" },
      "secrets.txt": { link: "/etc/passwd" },
      "above.txt": { link: "../x" },
    });

    expect(await tree.read("requirements.txt")).toMatchObject({ kind: "file", text: "flask\n" });
    for (const path of ["secrets.txt", "above.txt"])
      expect(await tree.read(path)).toMatchObject({ kind: "outside", text: undefined });
  });

  it("gives no text of a folder, of nothing, or of what is too large for a Procfile", async () => {
    const tree = treeOf({ "shop/x.py": "", large: "x".repeat(1024 * 1024 + 1) });

    for (const path of ["shop", "nosuch", "large", "two\nlines"])
      expect((await tree.read(path)).text).toBeUndefined();
  });

  it("is looked at and read at once, whatever the text looks like", async () => {
    const text = `${id} blob 3\nno header\n\nü\n`;
    const tree = treeOf({ "app.py": "app = 1\n", up: { link: "../x" }, needs: text });

    const { entries, reading } = await tree.lookAndRead(
      ["app.py", "up", "no", "two\nlines"],
      "needs",
    );

    expect(entries.map(({ kind }) => kind)).toEqual(["file", "outside", "absent", "absent"]);
    expect(reading).toMatchObject({ path: "needs", kind: "file", text });
  });

  it("is looked at as well where the text is too large to be read", async () => {
    const tree = treeOf({ "app.py": "app = 1\n", needs: "x".repeat(1024 * 1024 * 2) });

    const { entries, reading } = await tree.lookAndRead(["app.py", "no"], "needs");

    expect(entries.map(({ kind }) => kind)).toEqual(["file", "absent"]);
    expect(reading).toMatchObject({ kind: "file", size: 1024 * 1024 * 2, text: undefined });
  });

  it("lists its folders by their names to the letter", async () => {
    const tree = treeOf({
      "shop/x.py": "",
      "a b/x.py": "",
      "two\nlines/x.py": "",
      "über/x.py": "",
      "file.py": "",
      link: { link: "shop" },
    });

    expect(await tree.folders()).toEqual(["a b", "shop", "two\nlines", "über"]);
  });
});
