import { describe, expect, it } from "vitest";
import { sayUnprotected } from "../../../src/server/checks.ts";
import { temporaryFolder, writeFiles } from "../../support/unit-folder.ts";

describe("the kernel's protection of links", () => {
  it.each([
    [{ protected_hardlinks: "1\n", protected_symlinks: "1\n" }, []],
    [{ protected_hardlinks: "1\n", protected_symlinks: "0\n" }, ["fs.protected_symlinks=1"]],
    [{}, ["fs.protected_hardlinks=1 fs.protected_symlinks=1"]],
  ])("is said in one line where it is not there", async (switches, settings) => {
    const folder = temporaryFolder();
    writeFiles(folder, switches);

    expect(await sayUnprotected(folder)).toEqual(
      settings.map((names): unknown => expect.stringMatching(new RegExp(`sysctl -w ${names}$`))),
    );
  });
});
