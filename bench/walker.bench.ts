import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { LocalSystem, type Command } from "../src/system/system.ts";
import { walk, type Errand } from "../src/system/walker.ts";
import { median, printTable } from "./table.ts";

const rounds = Number(process.env["ROUNDS"] ?? 10);
const system = new LocalSystem();
const stranger = 65_534;
/** Milliseconds for 10,000 entries. */
const most = 300;

/** What the walker costs beside the commands in its place, which go by names. As root. */
describe.runIf(process.getuid?.() === 0)("a walk through 10,000 entries", () => {
  const home = mkdtempSync(join(tmpdir(), "reeve-walk-"));
  const [tree, copy] = [join(home, "tree"), join(home, "copy")];
  const rows: (string | number)[][] = [];

  beforeAll(() => {
    for (let folder = 0; folder < 100; folder += 1) {
      mkdirSync(join(tree, String(folder)), { recursive: true });
      for (let file = 0; file < 99; file += 1)
        writeFileSync(join(tree, String(folder), String(file)), "x".repeat(100));
    }
  });
  afterAll(() => {
    rmSync(home, { recursive: true });
    printTable([`10,000 entries, ms (median of ${rounds})`, "walker", "commands"], rows);
  });

  const owner = { uid: 0, gid: stranger };
  const seal: Errand = {
    ...{ do: "give", path: tree, owner, of: stranger, others: "remove" },
    ...{ clear: 0o7022, top: 0o750 },
  };
  it.each<[string, Errand, [string, ...string[]][]]>([
    [
      "seal",
      seal,
      [
        ["chown", "-hR", `0:${stranger}`, tree],
        ["chmod", "-R", "u-s,g-s,go-w", tree],
      ],
    ],
    [
      "copy by links",
      { do: "copy", path: tree, to: copy, by: "links", owner },
      [["cp", "-al", tree, copy]],
    ],
    ["remove", { do: "remove", path: copy }, [["rm", "-rf", copy]]],
  ])("%s", async (title, errand, commands) => {
    const [walker, floor]: [number[], number[]] = [[], []];
    for (let round = 0; round < rounds; round += 1) {
      prepare(title);
      walker.push(await timed([walk([errand])]));
      prepare(title);
      floor.push(await timed(commands.map(([file, ...args]) => ({ file, args }))));
    }
    rows.push([title, Math.round(median(walker)), Math.round(median(floor))]);
    expect(median(walker)).toBeLessThan(most);
  });

  function prepare(title: string): void {
    rmSync(copy, { recursive: true, force: true });
    if (title === "remove") execFileSync("cp", ["-a", tree, copy]);
    execFileSync("chown", ["-hR", `${stranger}:${stranger}`, title === "remove" ? copy : tree]);
  }
});

async function timed(commands: Command[]): Promise<number> {
  const began = performance.now();
  for (const command of commands) await system.run(command);
  return performance.now() - began;
}
