import {
  chmodSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { layOutStaging, makeRelease, sweepStaging } from "../../../../src/agent/release/release.ts";
import { demo, namesIn, stagingOf } from "../../../support/unit-release.ts";

describe("a staging tree", () => {
  async function afterRelease() {
    const context = demo();
    const last = context.repository.commit({
      "app.txt": "1",
      "gone.txt": "",
      "shop/gone.txt": "",
      "same.txt": "",
    });
    const next = context.repository.commit({ "app.txt": "2", "gone.txt": null, shop: null });
    await makeRelease(context, last);
    await layOutStaging(context);
    return { context, last, next, staging: stagingOf(context.paths) };
  }

  it("is laid out as a copy of the last release, ready for the next one", async () => {
    const { context, last, staging } = await afterRelease();

    expect(await layOutStaging(context)).toBe(last);
    expect(readFileSync(join(staging.tree, "app.txt"), "utf8")).toBe("1");
  });

  it.each([
    ["does not know what it holds", ({ basis }) => rmSync(basis)],
    ["has lost git's index", ({ index }) => rmSync(index)],
    ["has lost its files", ({ tree }) => rmSync(tree, { recursive: true })],
    [
      "has lost its files and what they were of",
      ({ tree, basis }) => {
        rmSync(tree, { recursive: true });
        rmSync(basis);
      },
    ],
    ["is gone as a whole", ({ tree }) => rmSync(join(tree, ".."), { recursive: true })],
    [
      "holds a release that is gone",
      ({ basis, tree }) => {
        rmSync(tree, { recursive: true });
        writeFileSync(basis, "ab".repeat(20));
      },
    ],
    [
      "was changed by somebody",
      ({ tree }) => {
        rmSync(join(tree, "app.txt"));
        writeFileSync(join(tree, "app.txt"), "hacked");
        rmSync(join(tree, "same.txt"));
      },
    ],
  ] satisfies [string, (staging: ReturnType<typeof stagingOf>) => void][])(
    "that %s still leads to the right release",
    async (_, damage) => {
      const { context, next, staging } = await afterRelease();
      damage(staging);

      const { path } = await makeRelease(context, next);

      expect(namesIn(path)).toEqual(["app.txt", "same.txt"]);
      expect(readFileSync(join(path, "app.txt"), "utf8")).toBe("2");
    },
  );

  it("whose index a killed git left locked costs one push, and no more", async () => {
    const { context, next, staging } = await afterRelease();
    writeFileSync(`${staging.index}.lock`, "");

    await expect(makeRelease(context, next)).rejects.toMatchObject({ code: "RELEASE_FAILED" });

    expect(namesIn((await makeRelease(context, next)).path)).toEqual(["app.txt", "same.txt"]);
  });

  it("is swept of what was never finished", async () => {
    const { context } = await afterRelease();
    for (const name of ["sealing", "next"]) {
      mkdirSync(join(context.paths.staging, name));
      symlinkSync("/etc", join(context.paths.staging, name, "etc"));
      chmodSync(join(context.paths.staging, name), 0o555);
    }

    await sweepStaging(context);

    expect(readdirSync(context.paths.staging).sort()).toEqual(["basis", "git", "tree"]);
    expect(existsSync("/etc/passwd")).toBe(true);
  });
});
