import { execFileSync, spawn } from "node:child_process";
import { chmodSync, existsSync, lstatSync, mkdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { LocalSystem, type Command } from "../../src/system/system.ts";
import { walk, type Errand } from "../../src/system/walker.ts";
import { projectRoot } from "../support/server.ts";
import { sharedFolder } from "../support/unit-folder.ts";
import { isRoot, nobody } from "../support/unit-identity.ts";

const system = new LocalSystem();
const tries = Number(process.env["TRIES"] ?? 2000);

/** No moment is held here: that is test/hostile/walks.test.ts. The two just run against each other. */
describe.runIf(isRoot)("a race against root's walk", () => {
  const home = sharedFolder();
  const [tree, own, token] = ["tree", "aside/own", "token"].map((name) => join(home, name)) as [
    string,
    string,
    string,
  ];
  writeFileSync(token, "secret", { mode: 0o600 });
  const lost: string[] = [];

  function layOut(): void {
    for (const folder of [tree, join(home, "aside")])
      rmSync(folder, { recursive: true, force: true });
    for (const folder of [join(tree, "one"), join(tree, "two"), own]) {
      mkdirSync(folder, { recursive: true });
      for (const name of "abcdefgh") writeFileSync(join(folder, name), "", { mode: 0o755 });
    }
    execFileSync("chown", ["-R", `${nobody.uid}:${nobody.gid}`, tree, join(home, "aside")]);
    for (const folder of [tree, join(tree, "one"), join(tree, "two")]) chmodSync(folder, 0o777);
  }

  async function race(command: Command): Promise<void> {
    layOut();
    const program = join(projectRoot, "test/support/racer.py");
    const racer = spawn("/usr/bin/python3", ["-I", "-S", program, tree, own, token], {
      ...{ uid: nobody.uid, gid: nobody.gid, stdio: ["ignore", "pipe", "ignore"] as const },
    });
    await new Promise((resolve) => racer.stdout.once("data", resolve));
    await system.run(command).catch(() => undefined);
    const gone = new Promise((resolve) => racer.once("exit", resolve));
    racer.kill("SIGKILL");
    await gone;
    const { uid, mode } = lstatSync(token);
    if (uid !== 0 || (mode & 0o7777) !== 0o600) lost.push(`${uid} ${mode.toString(8)}`);
    execFileSync("chown", ["0:0", token]);
    chmodSync(token, 0o600);
  }

  const seal: Errand = {
    ...{ do: "give", path: tree, owner: { uid: 0, gid: nobody.gid }, of: nobody.uid },
    ...{ others: "remove", clear: 0o7022, top: 0o750 },
  };

  it.each<[string, Errand[]]>([
    ["sealed", [seal]],
    ["given away and sealed again", [{ do: "give", path: tree, owner: nobody }, seal]],
    ["copied", [{ do: "copy", path: tree, to: join(home, "copy"), owner: nobody, add: 0o77 }]],
    ["removed", [{ do: "remove", path: tree }]],
  ])("W1: a tree that is %s, thousands of times", { timeout: 3_600_000 }, async (_, errands) => {
    const clear: Errand = { do: "remove", path: join(home, "copy") };
    for (let turn = 0; turn < tries; turn += 1) await race(walk([clear, ...errands]));

    expect(lost).toEqual([]);
    expect(existsSync(token)).toBe(true);
  });
});
