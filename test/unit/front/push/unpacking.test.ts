import { spawnSync } from "node:child_process";
import { cpSync, existsSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { programRoot } from "../../../../src/config/config.ts";
import { temporaryFolder } from "../../../support/unit-folder.ts";
import { Repository } from "../../../support/unit-repository.ts";

const environment = {
  PATH: process.env["PATH"],
  GIT_CONFIG_GLOBAL: "/dev/null",
  GIT_CONFIG_NOSYSTEM: "1",
};

/** As git receive-pack starts it: hooks/exec/git, with a hooks/hold that also leaves a trace. */
function unpack(program: "unpack-objects" | "index-pack", spoil: (pack: Buffer) => void) {
  const from = new Repository();
  const commit = from.commit({ "app.py": "a = 1\n" });
  const packing = { cwd: from.folder, env: environment, input: `${commit}\n` };
  const { stdout: pack } = spawnSync("git", ["pack-objects", "--revs", "--stdout", "-q"], packing);
  spoil(pack);

  const hooks = join(temporaryFolder(), "hooks");
  cpSync(join(programRoot, "hooks"), hooks, { recursive: true });
  const trace = join(hooks, "held");
  const held = `#!/bin/sh\n: > '${trace}'\nexec '${join(programRoot, "hooks/hold")}' "$@"\n`;
  writeFileSync(join(hooks, "hold"), held);

  const to = new Repository();
  const env = { ...environment, GIT_DIR: to.folder, REEVE_CONTROL: join(hooks, "nobody.sock") };
  const words = program === "index-pack" ? [program, "--stdin", "--fix-thin"] : [program, "-q"];
  const { status, stderr } = spawnSync(join(hooks, "exec/git"), words, { env, input: pack });
  const found = spawnSync("git", ["cat-file", "-t", commit], { env });
  return {
    status,
    said: stderr.toString(),
    isHeld: existsSync(trace),
    isThere: found.status === 0,
  };
}

const whole = (): void => undefined;
const cut = (pack: Buffer): void => {
  pack.writeUInt8(pack.readUInt8(pack.length - 1) ^ 1, pack.length - 1);
};

describe("what git unpacks", () => {
  it("is few objects without a Perl that has nothing to say of them", () => {
    expect(unpack("unpack-objects", whole)).toEqual({
      ...{ status: 0, said: "", isHeld: false, isThere: true },
    });
  });

  it("is many objects with all that is said of them on its way at once", () => {
    expect(unpack("index-pack", whole)).toMatchObject({ status: 0, isHeld: true, isThere: true });
  });

  it.each(["unpack-objects", "index-pack"] as const)(
    "is refused by git's own exit code, in words that the front is asked for: %s",
    (program) => {
      const { status, said, isHeld } = unpack(program, cut);

      expect(status).toBe(128);
      expect(isHeld).toBe(true);
      expect(said).not.toContain("fatal:");
      expect(said).toContain("error[SERVER_DOWN]: reeve went away before it gave its verdict");
    },
  );
});
