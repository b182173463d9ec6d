import { execFileSync } from "node:child_process";
import { copyFileSync, mkdirSync, readdirSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { describe, expect, it } from "vitest";
import { projectRoot } from "../../support/server.ts";
import { temporaryFolder, writeFiles } from "../../support/unit-folder.ts";

/** What each has to be told so that it needs all of its parts, of a tree that is there. */
const runs: Record<string, (tree: string) => { words: string[]; input: string }[]> = {
  "src/system/walker": (tree) => {
    const errands = [
      `copy\0path=${tree}\0to=${tree}.copy\0`,
      ...["give", "measure"].map((what) => `${what}\0path=${tree}\0`),
      `sweep\0path=${tree}\0of=4294967294\0`,
      `remove\0path=${tree}.copy\0`,
    ];
    return [{ words: [], input: errands.map((words) => `${words}\0`).join("") }];
  },
  "src/agent/environment/installed": (tree) => [
    { words: ["take", tree, `${tree}.basis`, `${tree}.taken`, "", ""], input: "" },
    { words: ["check", tree, `${tree}.taken`], input: "" },
    { words: ["survey", tree, `${tree}.notes`], input: "" },
    { words: ["settle", tree, tree, `${tree}.release`, `${tree}.notes`], input: "" },
  ],
};

const decoy = "raise SystemExit('somebody else has laid this here')\n";

describe("a Python program of several files", () => {
  it("is one of those that are known", () => {
    const found = readdirSync(join(projectRoot, "src"), { recursive: true, encoding: "utf8" })
      .filter((path) => path.endsWith("__main__.py"))
      .map((path) => join("src", dirname(path)));

    expect(found.sort()).toEqual(Object.keys(runs).sort());
  });

  it.each(Object.keys(runs))(
    "imports nothing but its own and Python's, wherever it is started, and writes nothing beside itself: %s",
    (program) => {
      const home = temporaryFolder();
      const parts = readdirSync(join(projectRoot, program)).filter((part) => part.endsWith(".py"));
      const own = join(home, "reeve", basename(program));
      mkdirSync(own, { recursive: true });
      for (const part of parts) copyFileSync(join(projectRoot, program, part), join(own, part));
      const stranger = join(home, "stranger");
      const names = ["os", "stat", "errno", "json", "csv", `${basename(program)}/__init__`];
      const decoys = Object.fromEntries(names.map((name) => [`${name}.py`, decoy]));
      writeFiles(stranger, decoys);
      // Beside the program there are other things of reeve's: of Python's own none of them takes the place.
      writeFiles(join(home, "reeve"), { "fcntl.py": decoy, "csv.py": decoy, "hashlib.py": decoy });
      const tree = join(home, "tree");
      writeFiles(tree, { "a/one": "1", two: "2" });

      for (const { words, input } of runs[program]!(tree))
        execFileSync("/usr/bin/python3", ["-I", "-S", join(own, "__main__.py"), ...words], {
          ...{ input, cwd: stranger },
          env: { PYTHONPATH: stranger },
        });

      expect(readdirSync(own).sort()).toEqual(parts.sort());
    },
  );
});
