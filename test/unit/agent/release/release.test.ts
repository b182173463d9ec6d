import {
  chownSync,
  existsSync,
  lstatSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { absentCommit } from "../../../../src/names/names.ts";
import {
  CommandFailed,
  LocalSystem,
  type Command,
  type Identity,
} from "../../../../src/system/system.ts";
import {
  countChanges,
  layOutStaging,
  makeRelease,
  pruneReleases,
  takeBackRelease,
} from "../../../../src/agent/release/release.ts";
import { demo, namesIn, stagingOf } from "../../../support/unit-release.ts";
import {
  canDropRoot,
  dropRoot,
  isRoot,
  nobody,
  UnprivilegedSystem,
} from "../../../support/unit-identity.ts";

describe("making a release", () => {
  it("puts the commit's tree on disk, and finds it there the next time", async () => {
    const context = demo();
    const commit = context.repository.commit({
      "manage.py": { program: "#!/usr/bin/python3\n" },
      "static/style.css": "b {}\n",
      "a name\nof two lines": "x",
      "link.css": { link: "static/style.css" },
    });

    const release = await makeRelease(context, commit);

    expect(release).toMatchObject({
      commit,
      made: true,
      path: join(context.paths.releases, commit),
    });
    expect(namesIn(release.path)).toEqual(
      ["a name\nof two lines", "link.css", "manage.py", "static", "static/style.css"].sort(),
    );
    expect(readlinkSync(join(release.path, "link.css"))).toBe("static/style.css");
    expect(statSync(join(release.path, "manage.py")).mode & 0o100).toBe(0o100);
    expect(await makeRelease(context, commit)).toMatchObject({
      commit,
      path: release.path,
      made: false,
    });
  });

  it("touches only what changed: the other files are the former release's own", async () => {
    const context = demo();
    const first = context.repository.commit({ "same.txt": "same", "other.txt": "one" });
    const second = context.repository.commit({ "other.txt": "two" });

    const before = await makeRelease(context, first);
    const after = await makeRelease(context, second);

    const inodes = (name: string) =>
      [before, after].map(({ path }) => statSync(join(path, name)).ino);
    expect(new Set(inodes("same.txt")).size).toBe(1);
    expect(new Set(inodes("other.txt")).size).toBe(2);
    expect(readFileSync(join(before.path, "other.txt"), "utf8")).toBe("one");
    expect(readFileSync(join(after.path, "other.txt"), "utf8")).toBe("two");
  });

  it("goes to and fro between any two commits, each time with exactly that commit's files", async () => {
    const context = demo();
    const trees = [
      { "a/b.txt": "1", "c.txt": "1" },
      { "a/b.txt": null, a: "now a file" },
      { a: null, "a/b/c.txt": "deeper", "c.txt": null },
    ];
    const commits = trees.map((changes) => context.repository.commit(changes));
    const expected = [
      ["a", "a/b.txt", "c.txt"],
      ["a", "c.txt"],
      ["a", "a/b", "a/b/c.txt"],
    ];

    for (const at of [2, 0, 1, 2, 1, 0]) {
      const { path } = await makeRelease(context, commits[at]!);
      expect(namesIn(path)).toEqual(expected[at]);
      await pruneReleases(context, new Set([commits[at]!]));
    }
  });

  it("takes the tree as it is: what only git archive would act on has no effect", async () => {
    const context = demo();
    const commit = context.repository.commit({
      ".gitattributes": "wsgi.py export-ignore\n*.txt export-subst filter=evil\n",
      "wsgi.py": "application = 1\n",
      "version.txt": "$Format:%H$\n",
    });

    const { path } = await makeRelease(context, commit);

    expect(namesIn(path)).toEqual([".gitattributes", "version.txt", "wsgi.py"]);
    expect(readFileSync(join(path, "version.txt"), "utf8")).toBe("$Format:%H$\n");
  });

  it("leaves no release and no half of one where git fails, and the next one works", async () => {
    const context = demo();
    const commit = context.repository.commit({ "app.txt": "" });

    await expect(makeRelease(context, "ab".repeat(20))).rejects.toMatchObject({
      code: "RELEASE_FAILED",
    });

    expect(readdirSync(context.paths.releases)).toEqual([]);
    expect((await makeRelease(context, commit)).made).toBe(true);
  });

  it("costs the staging tree nothing where it is refused before any of it is on disk", async () => {
    const context = demo();
    const [first, second] = ["1", "2"].map((text) => context.repository.commit({ "a.txt": text }));
    await makeRelease(context, first!);
    await layOutStaging(context);
    const refusal = new Error("too large");

    await expect(makeRelease(context, second!, () => Promise.reject(refusal))).rejects.toBe(
      refusal,
    );

    const { tree, basis } = stagingOf(context.paths);
    expect(readFileSync(join(tree, "a.txt"), "utf8")).toBe("1");
    expect(readFileSync(basis, "utf8")).toBe(first);
  });

  it("is judged while the staging tree is laid out, which a refusal waits for", async () => {
    const context = demo();
    const [first, second] = ["1", "2"].map((text) => context.repository.commit({ "a.txt": text }));
    await makeRelease(context, first!);
    const { tree } = stagingOf(context.paths);
    const seen: boolean[] = [];
    const refusal = new Error("too large");

    const refused = makeRelease(context, second!, (whole) => {
      expect(whole.tree).toBe(second);
      seen.push(existsSync(tree));
      return Promise.reject(refusal);
    });

    await expect(refused).rejects.toBe(refusal);
    expect([...seen, existsSync(tree)]).toEqual([false, true]);
  });

  it("is whole where a power cut has left nothing of what the staging tree was made for", async () => {
    const context = demo();
    const [first, second] = ["1", "2"].map((text) => context.repository.commit({ "a.txt": text }));
    await makeRelease(context, first!);
    await layOutStaging(context);
    writeFileSync(stagingOf(context.paths).basis, "");

    const { path } = await makeRelease(context, second!);

    expect(readFileSync(join(path, "a.txt"), "utf8")).toBe("2");
  });

  it("names a full disk, leaves nothing, and works again when there is room", async () => {
    const full = new FullDisk();
    const context = demo(full);
    const first = context.repository.commit({ "a.txt": "1" });
    const second = context.repository.commit({ "b.txt": "2" });
    await makeRelease(context, first);

    full.isFull = true;
    await expect(makeRelease(context, second)).rejects.toMatchObject({ code: "NO_SPACE" });
    full.isFull = false;

    expect(readdirSync(context.paths.releases)).toEqual([first]);
    expect(namesIn((await makeRelease(context, second)).path)).toEqual(["a.txt", "b.txt"]);
  });
});

/** The real host, whose disk is full whenever git writes a tree. */
class FullDisk extends LocalSystem {
  isFull = false;

  override run(command: Command): Promise<string> {
    if (!this.isFull || !command.args.includes("read-tree")) return super.run(command);
    const output = "error: unable to write file b.txt\nfatal: No space left on device";
    return Promise.reject(new CommandFailed(command, { output, exitCode: 128, timedOut: false }));
  }
}

describe("a release that is made", () => {
  describe.runIf(isRoot)("with root", () => {
    const app = { name: "app", uid: 64_000, gid: 64_000 };

    async function made() {
      const context = { ...demo(), appUser: app, gitUser: { ...nobody, gid: app.gid } };
      const { path } = await makeRelease(
        context,
        context.repository.commit({ "app.py": "a = 1\n", "shop/x.py": "" }),
      );
      const { system } = context;
      const touch = (name: string, as: Identity) =>
        system.run({ file: "touch", args: [join(path, name)], as });
      const read = (as: Identity) => system.run({ file: "cat", args: [join(path, "app.py")], as });
      return { context, path, touch, read };
    }

    it("lets the app read and change nothing, and keeps everybody else out", async () => {
      const { touch, read } = await made();

      expect(await read(app)).toBe("a = 1\n");
      for (const name of ["app.py", "shop/x.py", "new.py", "shop/new.py"])
        for (const as of [app, nobody])
          await expect(touch(name, as), name).rejects.toThrow("Permission denied");
      await expect(read(nobody)).rejects.toThrow("Permission denied");
    });

    it("is root's to its last file before the next staging tree shares any of them", async () => {
      const { context, path, touch, read } = await made();

      await layOutStaging(context);

      for (const name of ["", "app.py", "shop", "shop/x.py"])
        expect(lstatSync(join(path, name))).toMatchObject({ uid: 0, gid: app.gid });
      expect(await read(app)).toBe("a = 1\n");
      await expect(touch("app.py", app)).rejects.toThrow("Permission denied");
      const shared = join(stagingOf(context.paths).tree, "app.py");
      expect(lstatSync(shared)).toMatchObject({ ino: lstatSync(join(path, "app.py")).ino, uid: 0 });
    });
  });

  it.skipIf(!canDropRoot)("works without root as well, and is at least read-only", async () => {
    const context = { ...demo(new UnprivilegedSystem()) };
    const commits = ["1", "2", "3"].map((text) =>
      context.repository.commit({ "app.py": `a = ${text}\n`, "dir/same.txt": "" }),
    );
    const home = join(context.paths.folder, "..", "..");
    for (const folder of [home, join(home, "srv"), context.paths.folder, context.paths.releases])
      chownSync(folder, nobody.uid, nobody.gid);
    dropRoot();

    const [first, second] = [
      await makeRelease(context, commits[0]!),
      await makeRelease(context, commits[1]!),
    ];
    await takeBackRelease(context, commits[1]!);
    const third = await makeRelease(context, commits[2]!);

    for (const name of [".", "app.py", "dir", "dir/same.txt"])
      expect(statSync(join(third.path, name)).mode & 0o222, name).toBe(0);
    expect(existsSync(second.path)).toBe(false);
    expect(readFileSync(join(third.path, "app.py"), "utf8")).toBe("a = 3\n");
    await pruneReleases(context, new Set([commits[2]!]));
    expect(existsSync(first.path)).toBe(false);
  });

  it("that was refused is given back, and saves the next checkout", async () => {
    const context = demo();
    const good = context.repository.commit({ "app.txt": "1", "same.txt": "" });
    const bad = context.repository.commit({ "app.txt": "2" });
    const mended = context.repository.commit({ "app.txt": "3" });
    const live = await makeRelease(context, good);
    const refused = await makeRelease(context, bad);

    await takeBackRelease(context, bad);

    expect(existsSync(refused.path)).toBe(false);
    expect(namesIn(stagingOf(context.paths).tree)).toEqual(["app.txt", "same.txt"]);
    const { path } = await makeRelease(context, mended);
    expect(statSync(join(path, "same.txt")).ino).toBe(statSync(join(live.path, "same.txt")).ino);
    expect(readFileSync(join(live.path, "app.txt"), "utf8")).toBe("1");
    expect(readFileSync(join(path, "app.txt"), "utf8")).toBe("3");
  });

  it("is made from a refused one that git has forgotten, and touches only what changed", async () => {
    const context = demo();
    const good = context.repository.snapshot({ "app.py": "a = 1\n", "same.txt": "" });
    const bad = context.repository.commit({ "app.py": null, "bad.py": "b\n" });
    const next = context.repository.snapshot({ "app.py": "a = 2\n", "same.txt": "" });
    const live = await makeRelease(context, good);
    await makeRelease(context, bad);
    await takeBackRelease(context, bad);
    context.repository.run(["prune", "--expire=now"]);

    const release = await makeRelease(context, next);

    expect(release.changed).toBe(2);
    expect(namesIn(release.path)).toEqual(["app.py", "same.txt"]);
    expect(statSync(join(release.path, "same.txt")).ino).toBe(
      statSync(join(live.path, "same.txt")).ino,
    );
  });

  it("that was refused is removed where the staging tree has moved on already", async () => {
    const context = demo();
    const first = context.repository.commit({ "app.txt": "1" });
    const second = context.repository.commit({ "app.txt": "2" });
    await makeRelease(context, first);
    await makeRelease(context, second);
    await layOutStaging(context);

    await takeBackRelease(context, first);
    await takeBackRelease(context, second);

    expect(readdirSync(context.paths.releases)).toEqual([]);
  });

  it("is kept from git's garbage collection by a ref, until it is pruned", async () => {
    const context = demo();
    const [first, second] = ["1", "2"].map((text) => context.repository.commit({ a: text }));
    for (const commit of [first!, second!]) {
      await makeRelease(context, commit);
    }
    await pruneReleases(context, new Set([first!, second!]));

    const removed = await pruneReleases(context, new Set([second!]));

    expect(removed).toEqual([first]);
    expect(readdirSync(context.paths.releases)).toEqual([second]);
    expect(context.repository.run(["for-each-ref", "--format=%(refname)", "refs/reeve"])).toBe(
      `refs/reeve/releases/demo/${second!}\n`,
    );
  });
});

describe("counting what changed", () => {
  it("counts files, not lines, and of a first commit all of them", async () => {
    const context = demo();
    const first = context.repository.commit({ a: "1", b: "1", "c/d": "1" });
    const second = context.repository.commit({ a: "2", b: null, e: "1" });

    const made = await makeRelease(context, first);
    expect(await countChanges(context, made, absentCommit)).toBe(3);
    const next = await makeRelease(context, second);
    expect(await countChanges(context, next, first)).toBe(3);
    expect(await countChanges(context, next, second)).toBe(0);
    const again = await makeRelease(context, second);
    expect(await countChanges(context, again, first)).toBe(3);
  });
});
