import { execFileSync } from "node:child_process";
import { closeSync, constants, mkdirSync, openSync } from "node:fs";
import { dirname, join } from "node:path";
import { expect, it, onTestFinished } from "vitest";
import { sleep } from "../../../src/host/clock.ts";
import { isChild } from "../../../src/host/git.ts";
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
