import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { mkdir, rm } from "node:fs/promises";
import { createServer } from "node:net";
import { join } from "node:path";
import { describe, expect, it, onTestFinished } from "vitest";
import {
  isExecutable,
  isPresent,
  kindOf,
  makeAnew,
  readIfPresent,
  symlinkAtomically,
  writeAtomically,
} from "../../../src/system/files.ts";
import { temporaryFolder } from "../../support/unit-folder.ts";

describe("making what is not there yet", () => {
  it("removes what was left of it before, and only that", async () => {
    const path = join(temporaryFolder(), "notes");
    const removed: string[] = [];
    const make = (): Promise<unknown> =>
      makeAnew(
        () => mkdir(path),
        () => rm(path, { recursive: true }).then(() => void removed.push(path)),
      );

    await make();
    expect(removed).toEqual([]);
    writeFileSync(join(path, "half"), "");
    await make();

    expect([readdirSync(path), removed]).toEqual([[], [path]]);
  });

  it("removes nothing where it fails for another reason", async () => {
    const remove = (): Promise<void> => Promise.reject(new Error("removed"));
    const path = join(temporaryFolder(), "nosuch", "notes");

    await expect(makeAnew(() => mkdir(path), remove)).rejects.toThrow("ENOENT");
  });
});

describe("writing a file that others read", () => {
  it("replaces it by a new one: who has the old one open reads the old text to its end", async () => {
    const path = join(temporaryFolder(), "demo.ini");
    writeFileSync(path, "old");
    const before = statSync(path).ino;

    await writeAtomically(path, "new");

    expect(readFileSync(path, "utf8")).toBe("new");
    expect(statSync(path).ino).not.toBe(before);
  });

  it("leaves nothing beside a path that it cannot take", async () => {
    const folder = temporaryFolder();
    mkdirSync(join(folder, "taken", "full"), { recursive: true });

    await expect(writeAtomically(join(folder, "taken"), "text")).rejects.toThrow();
    await expect(symlinkAtomically("target", join(folder, "taken"))).rejects.toThrow();

    expect(readdirSync(folder)).toEqual(["taken"]);
  });

  it("gives it the time that was asked for, which is there when the file is", async () => {
    const path = join(temporaryFolder(), "app.ini");

    await writeAtomically(path, "text", { modified: 4_000_000_000 });

    expect(statSync(path).mtimeMs).toBe(4_000_000_000_000);
  });

  it("gives it the mode that was asked for, whatever the umask", async () => {
    const path = join(temporaryFolder(), "token");
    const umask = process.umask(0o077);
    onTestFinished(() => void process.umask(umask));

    await writeAtomically(path, "open", { mode: 0o644 });

    expect(statSync(path).mode & 0o7777).toBe(0o644);
  });

  it("keeps the old text where the new one cannot be written", async () => {
    const folder = temporaryFolder();
    const path = join(folder, "demo.ini");
    writeFileSync(path, "old");
    // What stands in the way of the first step stops all the others.
    mkdirSync(join(folder, ".demo.ini.tmp"));

    await expect(writeAtomically(path, "new")).rejects.toThrow();

    expect(readFileSync(path, "utf8")).toBe("old");
  });

  it("does not follow a link that lies where it writes first", async () => {
    const folder = temporaryFolder();
    const victim = join(folder, "victim");
    writeFileSync(victim, "mine");
    symlinkSync(victim, join(folder, ".demo.ini.tmp"));

    await writeAtomically(join(folder, "demo.ini"), "new");

    expect(readFileSync(victim, "utf8")).toBe("mine");
    expect(readFileSync(join(folder, "demo.ini"), "utf8")).toBe("new");
  });

  it("replaces a link itself, not what it leads to", async () => {
    const folder = temporaryFolder();
    const path = join(folder, "demo.ini");
    writeFileSync(join(folder, "other"), "other");
    symlinkSync("other", path);

    await writeAtomically(path, "new");

    expect(await kindOf(path)).toBe("other");
    expect(readFileSync(join(folder, "other"), "utf8")).toBe("other");
  });

  it("leaves nothing beside it, and is not stopped by what a killed one left", async () => {
    const folder = temporaryFolder();
    writeFileSync(join(folder, ".demo.ini.tmp"), "half");

    await writeAtomically(join(folder, "demo.ini"), "new");

    expect(readdirSync(folder)).toEqual(["demo.ini"]);
  });
});

describe("leading a link elsewhere", () => {
  it("moves it by a rename, and touches neither end", async () => {
    const folder = temporaryFolder();
    for (const name of ["old", "new"]) {
      mkdirSync(join(folder, name));
      writeFileSync(join(folder, name, "file"), name);
    }
    symlinkSync("old", join(folder, "app"));

    await symlinkAtomically("new", join(folder, "app"));

    expect(readlinkSync(join(folder, "app"))).toBe("new");
    expect(readFileSync(join(folder, "app", "file"), "utf8")).toBe("new");
    expect(readdirSync(folder).sort()).toEqual(["app", "new", "old"]);
    expect(readdirSync(join(folder, "old"))).toEqual(["file"]);
  });

  it("makes it where there is none, and is not stopped by what a killed one left", async () => {
    const folder = temporaryFolder();
    symlinkSync("nowhere", join(folder, ".app.tmp"));

    await symlinkAtomically("new", join(folder, "app"));

    expect(readlinkSync(join(folder, "app"))).toBe("new");
    expect(readdirSync(folder)).toEqual(["app"]);
  });
});

describe("looking at a path", () => {
  it("tells a link, a socket, a file and nothing apart, without following", async () => {
    const folder = temporaryFolder();
    writeFileSync(join(folder, "file"), "");
    symlinkSync("nowhere", join(folder, "link"));
    const server = createServer();
    await new Promise<void>((resolve) => server.listen(join(folder, "s.sock"), resolve));
    onTestFinished(() => void server.close());

    const kinds = await Promise.all(
      ["file", "link", "s.sock", "nothing"].map((name) => kindOf(join(folder, name))),
    );

    expect(kinds).toEqual(["other", "link", "socket", "absent"]);
    expect(await isPresent(join(folder, "link"))).toBe(true);
    expect(existsSync(join(folder, "link"))).toBe(false);
  });

  it("reads a file that is there, nothing where none is, and fails where it may not tell", async () => {
    const folder = temporaryFolder();
    writeFileSync(join(folder, "file"), "text");

    expect(await readIfPresent(join(folder, "file"))).toBe("text");
    expect(await readIfPresent(join(folder, "none"))).toBeUndefined();
    await expect(readIfPresent(join(folder, "file", "below"))).rejects.toThrow("ENOTDIR");
    await expect(kindOf(join(folder, "file", "below"))).rejects.toThrow("ENOTDIR");
  });

  it("knows what can be run", async () => {
    const folder = temporaryFolder();
    writeFileSync(join(folder, "program"), "", { mode: 0o755 });
    writeFileSync(join(folder, "text"), "", { mode: 0o644 });

    expect(await isExecutable(join(folder, "program"))).toBe(true);
    expect(await isExecutable(join(folder, "text"))).toBe(false);
    expect(await isExecutable(join(folder, "none"))).toBe(false);
  });
});
