import { execFileSync } from "node:child_process";
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import { nothingCovered } from "../../../../src/agent/environment/coverage.ts";
import { nearestBasis, originOf } from "../../../../src/agent/environment/basis.ts";
import type { Basis } from "../../../../src/agent/environment/environment.ts";
import type { Coverage } from "../../../../src/agent/store/coverage.ts";
import { temporaryFolder } from "../../../support/unit-folder.ts";

type Inputs = Parameters<typeof originOf>[1];

function inputs(text: string, more: Partial<Inputs> = {}): Inputs {
  return {
    files: [{ path: "requirements.txt", text }],
    ...{ abi: "cpython-311", installer: "uv", indexes: [""], variables: {}, generation: 0 },
    ...more,
  };
}

function nearest(wanted: Inputs, ...there: [string, Inputs][]) {
  const origins = there.map(([hash, from]) => originOf(hash, from));
  return nearestBasis(origins, originOf("wanted", wanted), { ...wanted, coverage: nothingCovered });
}

describe("the environment that another one begins with", () => {
  it("is the one with most lines of requirements in common, the first of those that are alike", () => {
    const found = nearest(
      inputs("a\nb==2\nc # for d\n"),
      ["one", inputs("a")],
      ["two", inputs("c\n\na\n")],
      ["three", inputs("a\nc\nd")],
    );
    const whole = { withoutArchived: false, withoutFiles: false };
    expect(found).toEqual({ hash: "two", without: [], ...whole, isAlike: false });
  });

  it.each<[string, Partial<Inputs>]>([
    ["interpreter", { abi: "cpython-313" }],
    ["index", { indexes: ["https://example.org/simple"] }],
    ["generation", { generation: 1 }],
    ["option of the whole file", { files: [{ path: "", text: "a\n--no-binary :all:" }] }],
  ])("has no other %s", (_, other) => {
    expect(nearest(inputs("a"), ["one", inputs("a", other)])).toBeUndefined();
  });

  it("is none for pip, and none with which nothing is in common", () => {
    const withPip = inputs("a", { installer: "pip" });
    expect(nearest(withPip, ["one", withPip])).toBeUndefined();
    expect(nearest(inputs("a"), ["one", inputs("b")])).toBeUndefined();
  });

  it("gives no package of which a new line says more than its version", () => {
    const hashed = "b==1 \\\n    --hash=sha256:00";
    const found = nearest(inputs(`a\n${hashed}\nc==1 --hash=sha256:11`), [
      "one",
      inputs(`a\n${hashed}\nc==1`),
    ]);
    const whole = { withoutArchived: false, withoutFiles: false };
    expect(found).toEqual({ hash: "one", without: ["c"], ...whole, isAlike: false });
  });

  const own = { file: "", first: 1, last: 1, path: ".", editable: true, extras: [], text: "." };

  it.each<[string, Partial<Coverage>, Partial<Basis>]>([
    ["a folder of wheels", { reads: [{ path: "wheels", as: "folder" }] }, { isAlike: false }],
    ["whatever is in it", { whole: true }, { isAlike: false }],
    ["a package of its own", { local: [own] }, { isAlike: true }],
  ])("gives no package of a file where the tree is read for %s", (_, coverage, more) => {
    expect(nearestFor(coverage)).toMatchObject({
      ...{ withoutArchived: true, withoutFiles: true },
      ...more,
    });
  });

  it("gives those of the machine's files beside a package of the tree, but for what the tree has archives of", () => {
    expect(nearestFor({ local: [own], outside: ["/srv/wheels"] })).toMatchObject({
      ...{ withoutArchived: true, withoutFiles: false, isAlike: true },
    });
  });

  function nearestFor(coverage: Partial<Coverage>): Basis | undefined {
    const [wanted, there] = [inputs("a"), originOf("one", inputs("a"))];
    const how = { ...wanted, coverage: { ...nothingCovered, ...coverage } };
    return nearestBasis([there], originOf("wanted", wanted), how);
  }
});

const program = fileURLToPath(
  new URL("../../../../src/agent/environment/installed/__main__.py", import.meta.url),
);
const site = "lib/python3.11/site-packages";

/** An environment with these packages, each with its files; what is not told of is in no RECORD. */
function environmentOf(
  packages: Record<string, Record<string, string>>,
  more: Record<string, string> = {},
) {
  const home = temporaryFolder();
  const root = join(home, "new");
  const write = (path: string, text: string): void => {
    mkdirSync(dirname(join(root, path)), { recursive: true });
    writeFileSync(join(root, path), text);
  };
  for (const [name, files] of Object.entries(packages)) {
    const info = `${name}-1.0.dist-info`;
    for (const [path, text] of Object.entries(files)) write(join(site, path), text);
    const rows = Object.entries(files).map(([path, text]) => `${path},sha256=x,${text.length}\n`);
    write(`${site}/${info}/RECORD`, `${rows.join("")}${info}/RECORD,,1\n`);
  }
  for (const [path, text] of Object.entries(more)) write(path, text);
  const run = (...words: string[]): string =>
    execFileSync("/usr/bin/python3", ["-I", "-S", program, ...words], {
      input: "unwanted\n",
    }).toString();
  const notes = join(home, "notes");
  const tree = join(home, "tree");
  mkdirSync(join(tree, "wheels/deep"), { recursive: true });
  const archives = ["left-1.0.zip", "right.py", "deep/By_Name.of-1.0+x-py3-none-any.whl"];
  for (const name of archives) writeFileSync(join(tree, "wheels", name), "");
  return {
    root,
    take: (which = "files") => run("take", root, join(home, "old"), notes, tree, which),
    check: () => run("check", root, notes),
    basis: join(home, "old"),
    files: () =>
      readdirSync(root, { recursive: true, encoding: "utf8", withFileTypes: true })
        .filter((entry) => !entry.isDirectory())
        .map((entry) => join(entry.parentPath, entry.name).slice(root.length + 1))
        .filter((path) => !path.endsWith("RECORD"))
        .map((path) => path.replace(`${site}/`, ""))
        .sort(),
  };
}

describe("what is taken over of an environment", () => {
  it("is what a package's RECORD accounts for, with its bytecode", () => {
    const { take, files } = environmentOf(
      { one: { "one/__init__.py": "1" } },
      {
        [`${site}/one/__pycache__/__init__.cpython-311.pyc`]: "",
        [`${site}/one/__pycache__/gone.cpython-311.pyc`]: "",
        [`${site}/left.pth`]: "import left",
        "bin/activate": "",
        "pyvenv.cfg": "",
      },
    );
    take();
    expect(files()).toEqual(["one/__init__.py", "one/__pycache__/__init__.cpython-311.pyc"]);
  });

  it.each<[string, Record<string, Record<string, string>>]>([
    ["is unwanted", { Unwanted: { "a.py": "" } }],
    ["came from an address", { a: { "a.py": "", "a-1.0.dist-info/direct_url.json": "{}" } }],
    ["came from a file", { a: { "a-1.0.dist-info/uv_cache.json": '{"timestamp":{"secs":1}}' } }],
    ["the tree has an archive of", { by_name_of: { "a.py": "" }, left: { "b.py": "" } }],
    ["shares a file with another one", { a: { "t.py": "" }, b: { "t.py": "" } }],
    ["lists what lies elsewhere", { a: { "../../../../outside": "" } }],
  ])("is nothing of a package that %s", (_, packages) => {
    const { take, files } = environmentOf({ ...packages, one: { "one.py": "" } });
    take();
    expect(files()).toEqual(["one.py"]);
  });

  it("is what came from a file, where that may be one of the machine's", () => {
    const info = "a-1.0.dist-info/uv_cache.json";
    const { take, files } = environmentOf({
      a: { "a.py": "", [info]: '{"timestamp":{"secs":1}}' },
      left: { "b.py": "" },
    });
    take("");
    expect(files()).toEqual([info, "a.py"]);
  });

  it("is nothing of a package of which a file is missing, or is not as long as it was", () => {
    const { root, take, files } = environmentOf({ a: { "a.py": "text" }, one: { "one.py": "" } });
    writeFileSync(join(root, site, "a.py"), "longer text");
    take();
    expect(files()).toEqual(["one.py"]);
  });

  it("has scripts that name the new environment, as new files, and a RECORD of them", () => {
    const home = environmentOf({ one: { "../../../bin/one": "#!BASIS/bin/python\nBASIS/bin" } });
    const path = join(home.root, "bin/one");
    writeFileSync(path, `#!${home.basis}/bin/python\n`);
    home.take();
    const text = `#!${home.root}/bin/python\n`;
    expect(readFileSync(path, "utf8")).toBe(text);
    const record = readFileSync(join(home.root, site, "one-1.0.dist-info/RECORD"), "utf8");
    expect(record).toMatch(
      new RegExp(`^\\.\\./\\.\\./\\.\\./bin/one,sha256=[\\w-]{43},${text.length}$`, "m"),
    );
  });

  it("is no script that names neither environment", () => {
    const home = environmentOf({ one: { "../../../bin/one": "" } });
    writeFileSync(join(home.root, "bin/one"), "#!/elsewhere/bin/python\n");
    home.take();
    expect(home.files()).toEqual([]);
  });
});

describe("an environment that began with another one", () => {
  it("is in order where nothing that was taken over is another one's as well; the rest goes", () => {
    const home = environmentOf({ one: { "one.py": "" }, two: { "two.py": "" } });
    home.take();
    writeFileSync(join(home.root, site, "left.py"), "");
    expect(home.check()).toBe("");
    expect(existsSync(join(home.root, site, "left.py"))).toBe(false);
  });

  it("has no bytecode of a source that was replaced, though it be as long and of the same second", () => {
    const [source, bytecode] = ["one.py", "__pycache__/one.cpython-311.pyc"];
    const home = environmentOf(
      { one: { [source]: "v = 1" }, two: { "two.py": "" } },
      { [join(site, bytecode)]: "", [join(site, "__pycache__/two.cpython-311.pyc")]: "" },
    );
    home.take();
    const path = join(home.root, site, source);
    const { atime, mtime } = statSync(path);
    // As uv does: another file at the old one's name.
    const info = "one-2.0.dist-info";
    renameSync(join(home.root, site, "one-1.0.dist-info"), join(home.root, site, info));
    writeFileSync(join(home.root, site, info, "RECORD"), `${source},,5\n${info}/RECORD,,\n`);
    writeFileSync(`${path}.new`, "v = 2");
    utimesSync(`${path}.new`, atime, mtime);
    renameSync(`${path}.new`, path);

    home.check();

    expect(home.files()).toEqual(["__pycache__/two.cpython-311.pyc", "one.py", "two.py"]);
  });

  it("has neither bytecode nor source where that was replaced by what no package has", () => {
    const home = environmentOf(
      { one: { "one.py": "" }, two: { "two.py": "" } },
      { [join(site, "__pycache__/one.cpython-311.pyc")]: "" },
    );
    home.take();
    rmSync(join(home.root, site, "one-1.0.dist-info"), { recursive: true });
    writeFileSync(join(home.root, site, "one.new"), "");
    renameSync(join(home.root, site, "one.new"), join(home.root, site, "one.py"));

    home.check();

    expect(home.files()).toEqual(["two.py"]);
  });

  it("is not where the installer laid or took a file of what was taken over", () => {
    const home = environmentOf({ one: { "one.py": "" } });
    home.take();
    const info = join(home.root, site, "two-1.0.dist-info");
    mkdirSync(info);
    writeFileSync(join(info, "RECORD"), "one.py,,0\ntwo-1.0.dist-info/RECORD,,\n");
    expect(() => home.check()).toThrow("not as it was taken over: one\n");
  });
});

describe("a package of the tree that is to be edited", () => {
  /** Built in a copy of the tree, in which `built` are the files after the build. */
  function edited(text: string, built: Record<string, string> = {}, described = "") {
    const home = temporaryFolder();
    const [tree, root, release] = [
      join(home, "tree"),
      join(home, "new"),
      "/srv/demo/releases/c0ffee",
    ];
    const write = (path: string, content: string): void => {
      mkdirSync(dirname(path), { recursive: true });
      writeFileSync(path, content);
    };
    const run = (...words: string[]): string =>
      execFileSync("/usr/bin/python3", ["-I", "-S", program, ...words], {
        input: described,
      }).toString();
    for (const path of ["src/shop/__init__.py", "shop.py", "the shop/src/x.py"])
      write(join(tree, path), "");
    symlinkSync("src/shop", join(tree, "linked"));
    run("survey", tree, join(home, "notes"));
    for (const [path, content] of Object.entries(built)) write(join(tree, path), content);
    const packages = join(root, site);
    const files: Record<string, string> = {
      "shop.pth": text.replaceAll("TREE", tree),
      "shop-1.0.dist-info/direct_url.json": `{"url":"file://${tree}","dir_info":{"editable":true}}`,
    };
    for (const [path, content] of Object.entries(files)) write(join(packages, path), content);
    const rows = Object.entries(files).map(([path, { length }]) => `${path},,${length}\n`);
    write(
      join(packages, "shop-1.0.dist-info/RECORD"),
      `${rows.join("")}shop-1.0.dist-info/RECORD,,\n`,
    );
    return {
      tree,
      said: run("settle", root, tree, release, join(home, "notes")),
      read: (path: string) => readFileSync(join(packages, path), "utf8"),
    };
  }

  it("names the release in place of the copy that it was built in, and so does its RECORD", () => {
    const { said, read } = edited("TREE/src\n");
    expect(said).toBe("");
    expect(read("shop.pth")).toBe("/srv/demo/releases/c0ffee/src\n");
    expect(read("shop-1.0.dist-info/direct_url.json")).toContain(
      "file:///srv/demo/releases/c0ffee",
    );
    expect(read("shop-1.0.dist-info/RECORD")).toMatch(/^shop\.pth,sha256=[\w-]{43},30$/m);
  });

  it.each<[string, string, Record<string, string>]>([
    ["an extension beside its sources", "TREE/src\n", { "src/shop/fast.so": "" }],
    ["another file than the one that was pushed", "TREE/src\n", { "src/shop/__init__.py": "1" }],
    ["a folder that only the build made", "TREE/build/__editable__.shop\n", { "build/x": "" }],
    ["its path in what is no text", "TREE/src\0", {}],
  ])("cannot be edited in the release where it has %s", (_, text, built) => {
    expect(edited(text, built).said).toContain("leaves files beside its sources");
  });

  it.each([
    ["a module, as setuptools names it", "MAPPING = {'shop': 'TREE/shop'}\n"],
    ["what is behind a link", "TREE/linked/__init__.py\n"],
    ["a folder with a blank in its name", "'TREE/the shop/src'\n"],
  ])("may name %s", (_, text) => {
    const { said, read } = edited(text);

    expect(said).toBe("");
    expect(read("shop.pth")).toBe(text.replace("TREE", "/srv/demo/releases/c0ffee"));
  });

  it("may leave what nothing looks for that runs", () => {
    const names = ["src/shop.egg-info/PKG-INFO", "build/lib/x", "src/shop/x.pyc", ".pdm-build/x"];
    const remains = Object.fromEntries(names.map((name) => [name, ""]));
    expect(edited("TREE/src\n", remains).said).toBe("");
  });

  it("finds what git says of its commit where `git archive` would have written it", () => {
    const { tree, said } = edited("TREE/src\n", {}, "describe-name: v1.2\n");
    expect(said).toBe("");
    expect(readFileSync(join(tree, ".git_archival.txt"), "utf8")).toBe("describe-name: v1.2\n");
  });
});
