import { execFileSync } from "node:child_process";
import {
  chownSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { layOutStaging, makeRelease } from "../../../../src/agent/release/release.ts";
import { demo, namesIn, stagingOf, type Demo } from "../../../support/unit-release.ts";
import { temporaryFolder } from "../../../support/unit-folder.ts";
import { nobody } from "../../../support/unit-identity.ts";

function cacheOf(source: string): string | undefined {
  const folder = join(source, "..", "__pycache__");
  const stem = source.split("/").at(-1)?.replace(/py$/, "");
  const found = existsSync(folder)
    ? readdirSync(folder).find((name) => name.startsWith(stem ?? "?") && name.endsWith(".pyc"))
    : undefined;
  return found && join(folder, found);
}

/** Whether Python would take the cache for the source's: it holds the source's hash (PEP 552). */
function isFresh(source: string): boolean {
  const cache = cacheOf(source);
  if (cache === undefined) return false;
  const script =
    "import sys,importlib.util as u; print(u.source_hash(open(sys.argv[1],'rb').read()).hex())";
  const hash = execFileSync("/usr/bin/python3", ["-c", script, source], {
    encoding: "utf8",
  }).trim();
  const header = readFileSync(cache);
  return header.readUInt32LE(4) === 3 && header.subarray(8, 16).toString("hex") === hash;
}

/** The release of a commit, and then the staging tree for the one after it. */
async function deploy(context: Demo, commit: string): Promise<string> {
  const { path } = await makeRelease(context, commit);
  await takeStaging(context);
  return path;
}

/** As after every deploy: the tree of the release before is laid out anew, with what it lacks. */
async function takeStaging(context: Demo): Promise<string> {
  await layOutStaging(context);
  return stagingOf(context.paths).tree;
}

/** An outsider's package with its own cache, as another app's tree would be: git's user may write there. */
function outsider(): string {
  const folder = temporaryFolder();
  const cache = join(folder, "__pycache__");
  mkdirSync(cache);
  writeFileSync(join(cache, "x.cpython-311.pyc"), "theirs");
  for (const path of [folder, cache, join(cache, "x.cpython-311.pyc")])
    chownSync(path, nobody.uid, nobody.gid);
  return folder;
}

describe("the bytecode of a release", () => {
  it("is there for every source that has not just changed, and soon for those as well", async () => {
    const context = demo();
    const first = context.repository.commit({ "app.py": "a = 1\n", "shop/__init__.py": "" });
    const second = context.repository.commit({ "app.py": "a = 22\n" });
    await deploy(context, first);

    const path = await deploy(context, second);

    expect(isFresh(join(path, "shop/__init__.py"))).toBe(true);
    expect(isFresh(join(path, "app.py"))).toBe(false);
    expect(isFresh(join(await takeStaging(context), "app.py"))).toBe(true);
  });

  it("is there at once where many sources changed", async () => {
    const context = demo();
    const names = Array.from({ length: 21 }, (_, at) => `m${at}.py`);
    const commit = context.repository.commit(
      Object.fromEntries(names.map((name) => [name, "a = 1\n"])),
    );

    const { path } = await makeRelease(context, commit);

    expect(names.filter((name) => !isFresh(join(path, name)))).toEqual([]);
  });

  it("is never taken for that of another source, though it has the same size and second", async () => {
    const context = demo();
    const said: string[] = [];
    for (const text of ["one", "two", "six"]) {
      const path = await deploy(
        context,
        context.repository.commit({ "app.py": `a = "${text}"\n` }),
      );
      const script = "import app; print(app.a)";
      const command = { file: "/usr/bin/python3", args: ["-Bc", script], cwd: path };
      said.push((await context.system.run(command)).trim());
    }

    expect(said).toEqual(["one", "two", "six"]);
  });

  it("is there for names of any kind, and for many sources at once", async () => {
    const context = demo();
    const sources = Array.from({ length: 120 }, (_, at) => `many/m${at}.py`);
    const odd = ["-rf.py", "a b.py", "quo'te\".py", "line\nbreak.py"];
    const commit = context.repository.commit(
      Object.fromEntries([...sources, ...odd].map((name) => [name, "a = 1\n"])),
    );

    const { path } = await makeRelease(context, commit);

    expect([...sources, ...odd].filter((name) => !isFresh(join(path, name)))).toEqual([]);
  });

  it("is not there for a source that does not compile, which is none of reeve's business", async () => {
    const context = demo();
    const commit = context.repository.commit({ "bad.py": "def (:\n", "good.py": "a = 1\n" });

    await makeRelease(context, commit);
    const path = await takeStaging(context);

    expect(cacheOf(join(path, "bad.py"))).toBeUndefined();
    expect(isFresh(join(path, "good.py"))).toBe(true);
  });

  it("is left out where the compiler cannot be done with a source within its limits", async () => {
    const limited = { ...demo(), deadline: 1 };
    const few = limited.repository.commit({ "app.py": "a = 1\n" });
    const many = limited.repository.commit(
      Object.fromEntries(Array.from({ length: 21 }, (_, at) => [`m${at}.py`, "a = 1\n"])),
    );

    await deploy(limited, few);
    const laidOut = stagingOf(limited.paths).tree;

    expect(namesIn(laidOut)).toEqual(["app.py"]);
    expect(cacheOf(join(laidOut, "app.py"))).toBeUndefined();
    await expect(makeRelease(limited, many)).rejects.toMatchObject({
      code: "RELEASE_FAILED",
      message: expect.stringContaining("took too long and was stopped") as string,
    });
  });

  it("goes with its source: a package that was deleted cannot be imported any more", async () => {
    const context = demo();
    const first = context.repository.commit({
      "app.py": "",
      "shop/__init__.py": "",
      "shop/deep/er.py": "",
      "shop/broken.py": "def (:\n",
      "both/one.py": "",
      "both/two.py": "",
    });
    const second = context.repository.commit({ shop: null, "both/one.py": null });
    await deploy(context, first);

    const { path } = await makeRelease(context, second);

    expect(existsSync(join(path, "shop"))).toBe(false);
    expect(namesIn(path)).toEqual(["app.py", "both", "both/two.py"]);
    expect(cacheOf(join(path, "both/one.py"))).toBeUndefined();
    expect(isFresh(join(path, "both/two.py"))).toBe(true);
    const script =
      "import importlib.util as u; print(u.find_spec('shop'), u.find_spec('both.one'))";
    expect(
      await context.system.run({ file: "/usr/bin/python3", args: ["-c", script], cwd: path }),
    ).toBe("None None\n");
  });

  it("is not written through a link: not for a source that is one", async () => {
    const context = demo();
    const outside = outsider();
    writeFileSync(join(outside, "secret.py"), "a = 1\n");
    const commit = context.repository.commit({
      "x.py": { link: join(outside, "secret.py") },
      "y.py": { link: "x.py" },
    });

    await makeRelease(context, commit);
    const path = await takeStaging(context);

    expect(namesIn(path)).toEqual(["x.py", "y.py"]);
    expect(existsSync(join(path, "__pycache__"))).toBe(false);
    expect(readdirSync(join(outside, "__pycache__"))).toEqual(["x.cpython-311.pyc"]);
  });

  it("is not written through a link: not into a cache that is one", async () => {
    const context = demo();
    const outside = outsider();
    const first = context.repository.commit({
      "x.py": "a = 1\n",
      "y.py": "a = 1\n",
      __pycache__: { link: join(outside, "__pycache__") },
    });
    const second = context.repository.commit({ "x.py": null, "y.py": "a = 2\n" });

    await deploy(context, first);
    await deploy(context, second);

    expect(readdirSync(join(outside, "__pycache__"))).toEqual(["x.cpython-311.pyc"]);
  });

  it("is not removed through a link that stands where the source's folder was", async () => {
    const context = demo();
    const outside = outsider();
    const first = context.repository.commit({ "shop/x.py": "a = 1\n", "deep/er/x.py": "" });
    const second = context.repository.commit({
      shop: { link: outside },
      deep: { link: join(outside, "..") },
      er: null,
    });

    await deploy(context, first);
    await deploy(context, second);

    expect(readdirSync(join(outside, "__pycache__"))).toEqual(["x.cpython-311.pyc"]);
  });
});
