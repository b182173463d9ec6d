import { execFileSync } from "node:child_process";
import { closeSync, constants, mkdirSync, openSync } from "node:fs";
import { dirname, join } from "node:path";
import { describe, expect, it, onTestFinished } from "vitest";
import { absentCommit } from "../../../src/names/names.ts";
import { sleep } from "../../../src/system/clock.ts";
import { currentCommit, isChild } from "../../../src/system/git.ts";
import { LocalSystem } from "../../../src/system/system.ts";
import { Repository } from "../../support/unit-repository.ts";

it("nobody who looks into a repository waits at a pipe that its owner has put in the place of an object", async () => {
  const { folder, git } = new Repository();
  const id = "ab".repeat(20);
  const object = join(folder, "objects", id.slice(0, 2), id.slice(2));
  mkdirSync(dirname(object));
  execFileSync("mkfifo", [object]);
  // Whoever waits there goes on.
  onTestFinished(() => closeSync(openSync(object, constants.O_RDWR | constants.O_NONBLOCK)));

  const looked = await Promise.race([isChild(git, id, id), sleep(2000, "it waits")]);

  expect(looked).toBe(false);
});

describe("where a ref stands", () => {
  it.each(["loose", "packed"])("is known of a %s one, by its whole name", async (kind) => {
    const repository = new Repository();
    const first = repository.commit({ "app.py": "" });
    repository.run(["update-ref", "refs/heads/shop/new", first]);
    const second = repository.commit({ "app.py": "import os" });
    if (kind === "packed") repository.run(["pack-refs", "--all"]);
    const found = (ref: string) => currentCommit(new LocalSystem(), repository.git, ref);

    expect(await found("refs/heads/main")).toBe(second);
    expect(await found("refs/heads/shop/new")).toBe(first);
    for (const ref of ["refs/heads/shop", "refs/heads/mai", "refs/heads/main/new"])
      expect(await found(ref), ref).toBe(absentCommit);
  });
});
