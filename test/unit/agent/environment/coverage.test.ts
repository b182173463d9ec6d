import { describe, expect, it } from "vitest";
import {
  askCoverage,
  expectCovered,
  filesCovered,
  nothingCovered,
  reachesTree,
  coveredWith,
  withoutEditable,
  withoutLocal,
} from "../../../../src/agent/environment/coverage.ts";
import type { RequirementsFile } from "../../../../src/agent/environment/requirements.ts";
import { contentsOf } from "../../../../src/agent/environment/tree-contents.ts";
import { LocalSystem } from "../../../../src/system/system.ts";
import { parseCoverage, type Coverage } from "../../../../src/agent/store/coverage.ts";
import { sharedFolder } from "../../../support/unit-folder.ts";
import { nobody } from "../../../support/unit-identity.ts";
import { Repository, type Files } from "../../../support/unit-repository.ts";

const system = new LocalSystem();
const box = { processes: 100, memory: 2 ** 30, fileSize: 2 ** 20, openFiles: 100 };
const reader = { python: "/usr/bin/python3", as: nobody, box };

async function lookAt(files: RequirementsFile[]): Promise<Coverage> {
  const coverage = parseCoverage(await system.run(askCoverage(reader, files)));
  if (!coverage) throw new Error("that is no answer");
  return coverage;
}

function filesOf(texts: Record<string, string>): RequirementsFile[] {
  return Object.entries(texts).map(([path, text]) => ({ path, text }));
}

const cover = (text: string, more: Record<string, string> = {}): Promise<Coverage> =>
  lookAt(filesOf({ "requirements.txt": text, ...more }));

describe("lines that name a package of the tree", () => {
  const targets = [
    "./libs/x",
    "libs/x",
    "libs/x/",
    "libs/../libs/x",
    "./libs/x[a,b]",
    "file:libs/x",
    "file:./libs/x",
    "file:./libs/x#egg=x",
    "libs/x#egg=x",
  ];
  const installed = [
    ...targets,
    ...["x @ ./libs/x", "x@./libs/x", "x[a] @ file:./libs/x", "x @ file:libs/x"],
  ];
  const plain = [
    (target: string) => target,
    (target: string) => `  ${target}  # our own`,
    (target: string) => `${target} ; python_version > "3"`,
    (target: string) => `${target}; python_version > "3"  # why`,
    (target: string) => `${target} --hash=sha256:${"a".repeat(64)}`,
    (target: string) => `${target} \\\n    ; python_version > "3"`,
    (target: string) => `${target.slice(0, -1)}\\\n${target.slice(-1)}`,
    (target: string) => `${target} \\\n# a comment`,
  ];
  const editable = [
    (target: string) => `-e ${target}`,
    (target: string) => `-e  ${target}  # our own`,
    (target: string) => `--editable ${target}`,
    (target: string) => `--editable=${target}`,
    (target: string) => `--edit ${target}`,
    (target: string) => `-e${target}`,
    (target: string) => `-e "${target}"`,
    (target: string) => `-e '${target}'`,
    (target: string) => `-e \\\n  ${target}`,
    (target: string) => `-e ${target} ; python_version > "3"`,
  ];

  /** All of them in one file: what is asked about each line is where it is listed. */
  async function lines(forms: string[]): Promise<[string, unknown][]> {
    const { local } = await cover(forms.map((form) => `${form}\nflask\n`).join(""));
    let number = 1;
    return forms.map((form) => {
      const found = local.find(({ first }) => first === number);
      number += form.split("\n").length + 1;
      return [form, found && [found.path, found.editable, found.last - found.first]];
    });
  }

  it.each([
    ["for good", installed, plain, false],
    ["as editable", targets, editable, true],
  ] as const)("are found however they are written, %s", async (_, names, ways, isEditable) => {
    const forms = names.flatMap((name) => ways.map((way) => way(name)));

    expect(await lines(forms)).toEqual(
      forms.map((form) => [form, ["libs/x", isEditable, form.split("\n").length - 1]]),
    );
  });

  it("are told with their extras, and blanked or made final where they stand", async () => {
    const file = {
      path: "requirements.txt",
      text: "flask\r\n-e ./libs/x[a, b] ; python_version > '3'\n./libs/\\\ny  # ours\n-elibs/z\nclick",
    };

    const coverage = await lookAt([file]);

    expect(coverage.local.map(({ path, extras }) => [path, extras])).toEqual([
      ["libs/x", ["a", "b"]],
      ["libs/y", []],
      ["libs/z", []],
    ]);
    expect(withoutLocal(file, coverage)).toBe("flask\n\n\n\n\nclick");
    expect(withoutEditable(file, coverage)).toBe(
      "flask\n./libs/x[a, b] ; python_version > '3'\n./libs/\\\ny  # ours\nlibs/z\nclick",
    );
  });

  it("may be anywhere where a variable says so, and are installed as they are asked for all the same", async () => {
    const file = {
      path: "requirements.txt",
      text: "-e file:///${PROJECT_ROOT}/libs/x\nx @ file:///${PROJECT_ROOT}/libs/x\n./${WHEELS}/y.whl",
    };

    const coverage = await lookAt([file]);

    expect(coverage.whole).toBe(true);
    expect(coverage.local.map(({ path, editable }) => [path, editable])).toEqual([
      [".", true],
      [".", false],
    ]);
    expect(withoutEditable(file, coverage)).toBe(file.text.replace("-e ", ""));
  });

  it("are none where all comes from an index", async () => {
    const text = [
      "# ./lib",
      "#./lib \\",
      "flask==3.1.3  # see ./docs",
      "flask[async]>=3; python_version > '3'",
      "requests @ https://example.org/requests-1.0-py3-none-any.whl#sha256=00",
      "https://example.org/a;b/requests.whl",
      "-e git+https://example.org/shop.git@main#egg=shop&subdirectory=libs/x",
      "shop @ git+ssh://git@example.org/shop.git",
      "--index-url https://u:${TOKEN}@example.org/simple",
      "--extra-index-url=https://example.org/simple",
      "-f https://example.org/wheels/",
      "--pre",
      "--trusted-host example.org",
      "--no-binary :all:",
      "backports.ssl==1.0 --hash=sha256:00 \\",
      "  --hash=sha256:11",
    ].join("\n");
    const coverage = await cover(text);

    expect(coverage).toEqual({
      ...nothingCovered,
      files: ["requirements.txt"],
      forms: expect.any(Array) as [],
    });
    expect(reachesTree(coverage)).toBe(false);
    expect(withoutEditable({ path: "requirements.txt", text }, coverage)).toBe(text);
  });
});

describe("what else requirements reach", () => {
  it("is archives, and folders of archives beside the file or where it is installed", async () => {
    const text = [
      "--no-index --find-links=./one",
      "-f two",
      "-fthree",
      "--find-links 'the fourth'",
      "-f file:five",
      "a-1.0.tar.gz",
      "w/b-1.0-py3-none-any.whl  # ours",
      "c @ file:w/c-1.0.zip ; python_version > '3'",
      "-r etc/base.txt",
    ].join("\n");
    const { reads, whole, local } = await cover(text, { "etc/base.txt": "-f six\n./d-1.0.zip\n" });

    expect({ whole, local }).toEqual({ whole: false, local: [] });
    expect(reads.filter(({ as }) => as === "folder").map(({ path }) => path)).toEqual([
      "etc/six",
      "five",
      "one",
      "six",
      "the fourth",
      "three",
      "two",
    ]);
    expect(reads.filter(({ as }) => as === "archive").map(({ path }) => path)).toEqual([
      "a-1.0.tar.gz",
      "d-1.0.zip",
      "w/b-1.0-py3-none-any.whl",
      "w/c-1.0.zip",
    ]);
  });

  it("is named where it is of the machine, which no push changes", async () => {
    const { outside, reads, whole, local } = await cover(
      "-f /srv/wheels\nx @ file:///srv/x\n-e /srv/y\n-i file:///srv/simple\n",
    );

    expect(outside).toEqual(["/srv/simple", "/srv/wheels", "/srv/x", "/srv/y"]);
    expect({ reads, whole, local }).toEqual({ reads: [], whole: false, local: [] });
  });

  it.each<[string, Record<string, string>?]>([
    ["-f ./wheels/index.html"],
    ["-i ./simple"],
    ["--extra-index-url file:simple"],
    ["./${FOLDER}/x"],
    ["x @ file:///${PROJECT_ROOT}/libs/x"],
    ["-f ${WHEELS}"],
    ["${ALL}"],
    ["../tree/libs/x"],
    ["~/wheels/a-1.0-py3-none-any.whl"],
    ["./libs/%78"],
    ["git+file:libs/x"],
    ["click # to uv a line of its own follows \\\n./wheels/x.whl"],
    ["./w.zip#x/shop-1.0.whl"],
    ["-r https://example.org/base.txt"],
    ["-c limits.txt", { "limits.txt": "x @ file:libs/x\n" }],
    ["-r etc/../more.txt", { "more.txt": "click\n" }],
    ["# a form feed\f./libs/x/x-1.0.zip"],
    ["--no-such-option libs/x"],
  ])("is the whole tree where nobody can be sure: %j", async (text, more = {}) => {
    expect(await cover(`flask\n${text}\n`, more)).toMatchObject({ whole: true, problems: [] });
  });

  it("is the whole tree where packages see variables that an installer takes for options", () => {
    expect(coveredWith(nothingCovered, { PIP_CONSTRAINT: "limits.txt" }).whole).toBe(true);
    expect(coveredWith(nothingCovered, { UV_FIND_LINKS: "wheels" }).whole).toBe(true);
    expect(coveredWith(nothingCovered, { SHOP_PIP_X: "wheels" })).toEqual(nothingCovered);
  });

  it("is told from the folder of the file that is installed", async () => {
    const files = filesOf({
      "backend/requirements.txt": "../libs/x\n./../libs/z.whl\n-r ../etc/base.txt\n",
      "etc/base.txt": "./libs/y\n-f wheels\n",
    });

    const { local, reads } = await lookAt(files);

    expect(local.map(({ path }) => path)).toEqual(["libs/x", "backend/libs/y"]);
    expect(reads.map(({ path }) => path)).toEqual([
      "backend/../libs/z.whl",
      "backend/wheels",
      "etc/wheels",
      "libs/z.whl",
    ]);
  });
});

describe("files that requirements include", () => {
  it("are those that pip or uv would read, and no others of the files that came", async () => {
    const ways = [
      "-r a.txt",
      "-rb.txt",
      "--requirement=c.txt  # more",
      '-r "d e.txt"',
      "-r f\\ g.txt",
      "-r h i.txt",
      "-r \\\nj.txt",
      "-c=k.txt",
      "--const l.txt",
      "-r ./etc/../m.txt",
      "-r etc/n.txt",
      "# -r no.txt",
      "flask  # -r no.txt",
    ];
    const names = "a b c d+e f+g h+i j k l m etc/n".split(" ");
    const paths = names.map((name) => `${name.replace("+", " ")}.txt`);
    const more = Object.fromEntries([...paths, "o.txt", "no.txt"].map((path) => [path, ""]));
    const files = filesOf({
      "requirements.txt": ways.join("\n"),
      ...more,
      "etc/n.txt": "-r ../o.txt",
    });

    const coverage = await lookAt(files);

    expect(coverage.problems).toEqual([]);
    expect(filesCovered(files, coverage).map(({ path }) => path)).toEqual([
      "requirements.txt",
      ...paths,
      "o.txt",
    ]);
  });

  it("are refused where they are not in the repository", async () => {
    const { problems } = await cover(
      [
        "-r nosuch.txt",
        "-r /etc/shadow",
        "-c ../../srv/b/env",
        "-r ${NAME}.txt",
        "-r a/../..",
      ].join("\n"),
    );

    expect(problems.map(({ line, message }) => [line, message.split(" in the")[0]])).toEqual([
      [1, "includes nosuch.txt: there is no such file"],
      [2, "includes /etc/shadow, which is outside the repository"],
      [3, "includes ../../srv/b/env, which is outside the repository"],
      [4, "includes ${NAME}.txt: there is no such file"],
      [5, "includes a/../.., which is outside the repository"],
    ]);
    expect(() => {
      expectCovered({ ...nothingCovered, problems });
    }).toThrow("requirements.txt, line 1: includes nosuch.txt");
  });

  it("may include each other in circles, and double at every step", async () => {
    const chain = Array.from({ length: 40 }, (_, n) => [
      `${n}.txt`,
      `-r ${n + 1}.txt\n-c ${n + 1}.txt\n`,
    ]);
    const more = {
      ...(Object.fromEntries(chain) as Record<string, string>),
      "40.txt": "-r requirements.txt\n",
    };

    const coverage = await cover("-r 0.txt\n-r requirements.txt\n", more);

    expect(coverage.files).toHaveLength(42);
  });
});

describe("lines that uv takes otherwise than pip", () => {
  it("are named, and no others", async () => {
    const others = [
      "-elibs/x",
      '-e "libs/x"',
      "-e git+https://example.org/shop.git#egg=shop",
      "--edit libs/x",
      "-fwheels",
    ];
    const same = [
      "-e libs/x  # ours",
      "flask==1 --hash=sha256:00 \\\n  --hash=sha256:11",
      "./libs/x ; python_version > '3'",
      "--pre",
      "-f w",
    ];

    expect((await cover([...same, ...others].join("\n"))).forms.map(({ text }) => text)).toEqual(
      others,
    );
    expect((await cover("./libs/x \\\n  ; python_version > '3'")).forms).toHaveLength(1);
  });
});

describe("an answer of the parser", () => {
  it.each(["", "{}", "[]", JSON.stringify({ ...nothingCovered, version: 0 }), "no"])(
    "is none where it is %j",
    (text) => {
      expect(parseCoverage(text)).toBeUndefined();
    },
  );

  it.each([
    ["-r ".repeat(100_000), "requirements.txt, line 1: the line is longer than 64 KiB"],
    ["./x\\\n".repeat(100_000), "the line is longer than 64 KiB"],
    ["./x\n".repeat(2000), "names more than 1000 paths"],
    ["x\n".repeat(10_000), "line 5001: there are more than 5000 requirements"],
    [`click\nx${" \t".repeat(30_000)}y`, "line 2: the line has more than 256 blanks"],
  ])("refuses what nobody wrote by hand", async (text, message) => {
    const coverage = await cover(text);

    expect(() => {
      expectCovered(coverage);
    }).toThrow(message);
  });
});

/** Each: how the requirements name something of the tree, and what is changed there. */
const reaching: [text: string, named: string, more?: Record<string, string>][] = [
  ["--no-index\n-f ./wheels\nshop", "wheels/shop-2.0-py3-none-any.whl"],
  ["--find-links=wheels\nshop", "wheels/deep/er/shop-2.0.zip"],
  ["-r etc/base.txt", "etc/wheels/shop-2.0.zip", { "etc/base.txt": "-f wheels\nshop" }],
  ["./wheels/shop-1.0-py3-none-any.whl", "wheels/shop-1.0-py3-none-any.whl"],
  ["shop @ file:wheels/shop-1.0.zip ; python_version > '3'", "wheels/shop-1.0.zip"],
  ["-f latest", "releases/shop-2.0.zip"],
  ["-f linked", "other/shop.zip"],
  ["-f=wheels\nshop", "wheels/shop-2.0.zip"],
  ["-f my wheels\nshop", "my wheels/shop-2.0.zip"],
  ["shop  # both \\\n-f wheels", "wheels/shop-2.0.zip"],
  ["-f pages/list\nshop", "other/shop.zip"],
  ["-f aside/list\nshop", "other/shop.zip"],
  ["-f served\nshop", "other/shop.zip"],
  ["-e git@libs/x", "libs/y/y.py"],
  ["libs@2/shop-1.0.zip", "libs@2/shop-1.0.zip"],
  ["git@2/shop-1.0.zip", "git@2/shop-1.0.zip"],
  ["-f pages", "other/shop.zip"],
  ["-f wheels/../latest/../wheels\nshop", "wheels/shop-2.0.zip"],
  ["-f linked/deep/../packages\nshop", "other/packages/shop-2.0.zip"],
  ["-f ./wheels/../wheels\nshop", "wheels/shop-2.0.zip"],
  ["-f no-folder/../wheels\nshop", "wheels/shop-2.0.zip"],
  ["-r etc/base.txt", "wheels/shop-3.0.zip", { "etc/base.txt": "-f ./../wheels\nshop" }],
  ["./libs/x -r more.txt", "libs/x/x.py", { "more.txt": "" }],
  ["-r away/../more.txt\n-f wheels", "other/more.txt", { "more.txt": "shop" }],
  ["-r etc/base.txt", "wheels/shop-3.0.zip", { "etc/base.txt": "-f ../wheels\nshop" }],
  ["latest/shop-1.0.zip", "releases/shop-1.0.zip"],
  ["linked/shop-1.0.zip", "other/shop.zip"],
  ["-i ./simple\nshop", "other/shop.zip"],
  ["./folder.zip", "other/shop.zip"],
  ["./libs/x # our own", "libs/x/x.py"],
  ["-e libs/x", "libs/y/y.py"],
  ["-e .", "README"],
  [".[web]", "src/shop.py"],
  ["x @ file:libs/x", "libs/x/x.py"],
  ["${X}", "anything"],
];

const treeOf = (text: string, more: Record<string, string> = {}): Files => ({
  "requirements.txt": text,
  ...more,
  "wheels/shop-1.0-py3-none-any.whl": "1",
  "wheels/shop-1.0.zip": "1",
  "releases/shop-1.0.zip": "1",
  latest: { link: "releases" },
  "linked/shop-1.0.zip": { link: "../other/shop.zip" },
  "linked/deep": { link: "../other/deep" },
  away: { link: "other/deep" },
  "other/deep/x": "1",
  "other/packages/shop-1.0.zip": "1",
  "other/more.txt": "shop",
  "other/shop.zip": "1",
  "pages/list.html": "<a href=../other/shop.zip>",
  "pages/list": "<a href=../other/shop.zip>",
  aside: { link: "pages" },
  "served/list.shtml": "<a href=../other/shop.zip>",
  "folder.zip/setup.py": "open('../other/shop.zip')",
  README: "1",
});

describe("what an environment is named by", () => {
  const repository = new Repository({ folder: sharedFolder() });
  const commits = (files: Files, ...changes: Files[]): string[] => {
    const first = repository.snapshot(files);
    return [first, ...changes.map((change) => repository.commit(change))];
  };
  const named = (commit: string, coverage: Coverage): Promise<string | undefined> =>
    contentsOf({ system, git: repository.git, commit }, coverage);

  it.each(reaching)("changes with what %j names: %s", async (text, path, more = {}) => {
    const [before = "", after = ""] = commits(treeOf(text, more), { [path]: "2" });
    const coverage = await cover(text, more);

    expect(await named(after, coverage)).not.toBe(await named(before, coverage));
  });

  it("does not change with anything else, but for what is not sure and for packages of the tree", async () => {
    const text = `${reaching
      .slice(0, 5)
      .map(([form]) => form)
      .join("\n")}\nflask\nlatest/shop-1.0.zip\n`;
    const more = { "etc/base.txt": "-f wheels\n-f ../wheels\n" };
    const [before = "", after = "", last = ""] = commits(
      treeOf(text, more),
      { README: "2", "other/more.py": "", "libs/x/x.py": "2" },
      { wheels: null },
    );
    const coverage = await cover(text, more);

    expect(await named(before, coverage)).toMatch(/^etc\/wheels missing$/m);
    expect(await named(after, coverage)).toBe(await named(before, coverage));
    expect(await named(last, coverage)).not.toBe(await named(before, coverage));
    expect(await named(before, await cover("flask\n"))).toBeUndefined();
    const local = await cover("./libs/x\n-f wheels\n");
    expect(await named(before, local)).toBe(before);
    expect(await named(after, { ...local, local: [] })).toBe(
      await named(before, { ...local, local: [] }),
    );
  });
});
