import {
  chownSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { environmentPath } from "../../../../src/names/instance.ts";
import { buildEnvironment, copyEnvironment } from "../../../../src/agent/environment/build.ts";
import { nothingCovered } from "../../../../src/agent/environment/coverage.ts";
import { hasEnvironment } from "../../../../src/agent/environment/environment.ts";
import { pruneEnvironments } from "../../../../src/agent/environment/prune.ts";
import { LocalSystem, type System } from "../../../../src/system/system.ts";
import { build, builder, demo, one, two } from "../../../support/unit-environment.ts";
import { temporaryFolder } from "../../../support/unit-folder.ts";
import {
  canDropRoot,
  dropRoot,
  isRoot,
  nobody,
  UnprivilegedSystem,
} from "../../../support/unit-identity.ts";

describe("building an environment", () => {
  it("leaves it complete at its final path, without requirements an empty one", async () => {
    const context = demo('mkdir "$3/bin" && touch "$3/bin/python"');

    expect(await build(context)).toBe("");

    const path = environmentPath(context.paths, one);
    expect(existsSync(join(path, "bin", "python"))).toBe(true);
    expect(await hasEnvironment(context.paths, one)).toBe(true);
    expect(readdirSync(context.paths.environments).sort()).toEqual([".cache", one]);
  });

  it.runIf(isRoot)(
    "runs as the builder; it belongs to neither it nor the app afterwards, and the app may read it",
    async () => {
      const context = demo('id -u > "$3/who"');

      await build(context);

      const path = environmentPath(context.paths, one);
      expect(readFileSync(join(path, "who"), "utf8")).toBe(`${builder.uid}\n`);
      for (const name of ["", "who"])
        expect(statSync(join(path, name))).toMatchObject({ uid: 0, gid: nobody.gid });
      await expect(
        context.system.run({ file: "touch", args: [join(path, "who")], as: nobody }),
      ).rejects.toThrow("Permission denied");
    },
  );

  it.runIf(isRoot)("is sealed whatever modes the installer left", async () => {
    const context = demo(
      'umask 0; cp /bin/true "$3/suid"; chmod 6755 "$3/suid"; touch "$3/open"; mkdir "$3/shared"; chmod 2777 "$3/shared"',
    );

    await build(context);

    const path = environmentPath(context.paths, one);
    const modes = ["", "suid", "open", "shared"].map((name) => statSync(join(path, name)).mode);
    expect(modes.map((mode) => (mode & 0o7777).toString(8))).toEqual(["750", "755", "644", "755"]);
  });

  it.runIf(isRoot)(
    "follows no link where its folder for scratch files comes to stand",
    async () => {
      const context = demo("true");
      await build(context);
      const home = context.paths.folder;
      const outside = join(home, "of-root");
      mkdirSync(outside);
      writeFileSync(join(outside, "constraints.txt"), "as it was");
      symlinkSync(outside, `${environmentPath(context.paths, two)}.scratch`);

      const files = [{ path: "requirements.txt", text: "greeting" }];
      const request = {
        hash: two,
        files,
        release: home,
        described: "",
        variables: {},
        packages: "greeting==1.0",
      };
      await buildEnvironment(context, { ...request, coverage: nothingCovered }).catch(
        () => undefined,
      );

      expect(readFileSync(join(outside, "constraints.txt"), "utf8")).toBe("as it was");
    },
  );

  it.skipIf(!canDropRoot)("works without root as well, and can be taken away again", async () => {
    // A shell would take back the rights that this process has put aside.
    const script = "import os, sys; os.mkdir(sys.argv[3] + '/bin')";
    const context = demo(script, new UnprivilegedSystem(), "/usr/bin/python3 -I");
    chownSync(context.paths.environments, nobody.uid, nobody.gid);
    dropRoot();

    await build(context);

    expect(statSync(join(environmentPath(context.paths, one), "bin")).mode & 0o222).toBe(0);
    expect(await pruneEnvironments(context, new Set())).toEqual([one]);
    expect(readdirSync(context.paths.environments)).toEqual([".cache"]);
  });

  it("begins anew where an interrupted one was left", async () => {
    const context = demo('test ! -e "$3/half" && touch "$3/whole"');
    const path = environmentPath(context.paths, one);
    mkdirSync(path);
    writeFileSync(join(path, "half"), "");
    writeFileSync(`${path}.building`, "");
    const before = await hasEnvironment(context.paths, one);

    await build(context);

    expect(before).toBe(false);
    expect(await hasEnvironment(context.paths, one)).toBe(true);
    expect(readdirSync(path)).toEqual(["whole"]);
  });
});

describe("a build that fails", () => {
  it.each([
    ["with an exit code", "exit 3", "ENVIRONMENT_FAILED", "the installer failed (exit code 3)"],
    ["by a signal", "kill -KILL $$", "ENVIRONMENT_FAILED", "the installer was killed"],
    [
      "for want of room",
      "echo 'OSError: [Errno 28] No space left on device' >&2; exit 1",
      "NO_SPACE",
      "no space left on the disk for the environment:\nOSError: [Errno 28] No space left on device",
    ],
  ])("%s says so, and leaves nothing", async (_, script, code, message) => {
    const context = demo(`touch "$3/half"; ${script}`);

    await expect(build(context)).rejects.toMatchObject({ code, message });

    expect(await hasEnvironment(context.paths, one)).toBe(false);
    expect(readdirSync(context.paths.environments)).toEqual([".cache"]);
  });

  it("because it does not end is stopped at its deadline", async () => {
    const context = { ...demo("sleep 60"), deadline: 200 };

    await expect(build(context)).rejects.toMatchObject({
      code: "ENVIRONMENT_FAILED",
      message: "the installer did not end within 0.2 s and was stopped",
    });

    expect(readdirSync(context.paths.environments)).toEqual([".cache"]);
  });

  it("has said why, in the installer's own words: without credentials, fit for a terminal", async () => {
    const context = demo(
      "printf '\\033[31mLooking in https://u:secret@pypi.example.org/simple\\033[0m\\n'; echo no >&2; exit 1",
    );

    await expect(build(context)).rejects.toThrow();

    expect(context.said.sort()).toEqual(["Looking in https://***@pypi.example.org/simple", "no"]);
  });
});

describe("a build that prints without end", () => {
  it("B7: is heard out to a limit, in lines that are none too long, and goes on", async () => {
    const context = demo(
      'yes "$(printf %01000d 0)" | head -5000; head -c 1000000 /dev/zero; echo; echo last',
    );

    await build(context);

    expect(context.said.join("\n").length).toBeLessThan(1_100_000);
    expect(context.said.at(-1)).toBe("(the rest is left out)");
    expect(await hasEnvironment(context.paths, one)).toBe(true);
  });
});

describe("an environment that is copied from another instance's", () => {
  /** Somebody removes it while it is copied, in the manner of a prune: the marker comes first. */
  class PrunedHost extends LocalSystem {
    readonly #when: "before" | "after";
    readonly #from: string;

    constructor(when: "before" | "after", from: string) {
      super();
      this.#when = when;
      this.#from = from;
    }

    override async run(...words: Parameters<System["run"]>): Promise<string> {
      const isCopy = words[0].input?.includes("copy\0") ?? false;
      if (isCopy && this.#when === "before") rmSync(this.#from, { recursive: true });
      const output = await super.run(...words);
      if (isCopy && this.#when === "after") writeFileSync(`${this.#from}.building`, "");
      return output;
    }
  }

  it.each(["before", "after"] as const)(
    "is none where that one goes, %s its files",
    async (when) => {
      const from = join(temporaryFolder(), one);
      mkdirSync(join(from, "bin"), { recursive: true });
      const context = demo("", new PrunedHost(when, from));

      expect(await copyEnvironment(context, from, one)).toBe(false);

      expect(readdirSync(context.paths.environments)).toEqual([]);
    },
  );

  it("is one of its own", async () => {
    const from = join(temporaryFolder(), one);
    mkdirSync(join(from, "bin"), { recursive: true });
    writeFileSync(join(from, "bin/flask"), `#!${from}/bin/python3\n`);
    const context = demo("");

    expect(await copyEnvironment(context, from, one)).toBe(true);

    const path = environmentPath(context.paths, one);
    expect(readFileSync(join(path, "bin/flask"), "utf8")).toBe(`#!${path}/bin/python3\n`);
    expect(await hasEnvironment(context.paths, one)).toBe(true);
  });
});
