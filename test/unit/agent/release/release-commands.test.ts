import { describe, expect, it } from "vitest";
import {
  checkOut,
  compileSources,
  listChanges,
  linkedCopyOf,
  openingOf,
  parseChanges,
  pinReleases,
  sealOf,
  sourcesIn,
  unpinRelease,
} from "../../../../src/agent/release/release-commands.ts";

const as = { name: "reeve", uid: 999, gid: 995 };
const git = { repository: "/r/demo.git", configuration: "/r/git.conf", as };
const commit = "3f2a91c0123456789abcdef0123456789abcdef0";

const compiler = {
  python: "/usr/bin/python3",
  as,
  box: { processes: 300, memory: 2 ** 31, fileSize: 2 ** 20, openFiles: 64 },
  deadline: 1000,
};

describe("git for a release", () => {
  it("reads reeve's configuration only, replaces nothing and asks nobody", () => {
    expect(listChanges(git, "a", "b")).toMatchObject({
      file: "git",
      as,
      env: {
        GIT_CONFIG_NOSYSTEM: "1",
        GIT_CONFIG_GLOBAL: "/r/git.conf",
        GIT_NO_REPLACE_OBJECTS: "1",
        GIT_TERMINAL_PROMPT: "0",
        LANG: "C",
        HOME: "/nonexistent",
      },
    });
  });

  it("checks a commit out over the staging tree, without hooks and without submodules", () => {
    const command = checkOut(git, { tree: "/s/tree", index: "/s/git/index" }, commit);

    expect(command.args.join(" ")).toBe(
      "--git-dir=/r/demo.git -C /s/tree -c core.checkStat=minimal -c core.trustctime=false " +
        "-c checkout.workers=0 -c core.hooksPath=/dev/null --work-tree=/s/tree " +
        `read-tree --reset -u --no-recurse-submodules ${commit}`,
    );
    expect(command).toMatchObject({
      env: { GIT_INDEX_FILE: "/s/git/index", GIT_CONFIG_GLOBAL: "/r/git.conf" },
    });
  });

  it("pins a release by a ref under a name that is hidden from everybody", () => {
    const pinned = `refs/reeve/releases/demo/${commit}`;

    expect(pinReleases(git, "demo", [commit, commit]).input).toBe(
      `update ${pinned} ${commit}\nupdate ${pinned} ${commit}\n`,
    );
    expect(unpinRelease(git, "demo", commit).args.slice(-3)).toEqual(["update-ref", "-d", pinned]);
    for (const command of [pinReleases(git, "demo", [commit]), unpinRelease(git, "demo", commit)])
      expect(command.args).toContain("core.hooksPath=/dev/null");
  });
});

describe("what differs between two trees", () => {
  it("is read as git lists it, names to the letter", () => {
    expect(parseChanges("M\0app.py\0A\0a name\nof two lines\0D\0shop/x.py\0T\0link\0")).toEqual([
      { kind: "M", name: "app.py" },
      { kind: "A", name: "a name\nof two lines" },
      { kind: "D", name: "shop/x.py" },
      { kind: "T", name: "link" },
    ]);
  });

  it("may be nothing", () => {
    expect(parseChanges("")).toEqual([]);
  });

  it("tells the compiler which sources to compile and which to forget, and nothing else", () => {
    const changes = parseChanges("M\0app.py\0A\0style.css\0D\0shop/x.py\0A\0-rf.py\0");

    const command = compileSources(compiler, "/s/tree", sourcesIn(changes));

    expect(command).toMatchObject({
      file: "/usr/bin/python3",
      args: ["-I", "-S", expect.stringMatching(/\/bytecode\.py$/)],
      cwd: "/s/tree",
      input: "+app.py\0-shop/x.py\0+-rf.py",
      as,
      box: { ...compiler.box, writable: ["/s/tree"] },
      deadline: 1000,
    });
  });
});

describe("a release's folder", () => {
  const users = { appUser: as, gitUser: { name: "git", uid: 990, gid: 995 } };
  const withRoot = { ...users, system: { isRoot: true } };
  const withoutRoot = { ...users, system: { isRoot: false } };

  it("is copied by hard links, into folders that are git's", () => {
    expect(linkedCopyOf("/a", "/b", withRoot)).toEqual({
      ...{ do: "copy", path: "/a", to: "/b", by: "links", owner: users.gitUser, add: 0o200 },
    });
    expect(openingOf("/a", withRoot)).toMatchObject({ only: "folders", owner: users.gitUser });
    expect(openingOf("/a", withoutRoot)).toMatchObject({ only: "folders", add: 0o200 });
  });

  it("is sealed: with root what was git's is root's, else nobody may write in it", () => {
    expect(sealOf("/s/x", withRoot)).toMatchObject({ owner: { uid: 0, gid: 995 }, of: 990 });
    expect(sealOf("/s/x", withoutRoot)).toMatchObject({ clear: 0o7222, top: 0o755 });
  });
});
