// npm run bench: measures. With `--beside COMMIT` it measures that commit as well, and compares the two.
//
//   npm run bench -- bench/push.bench.ts
//   npm run bench -- --beside COMMIT -- bench/push.bench.ts -t "code only$"
//
// The benches are today's for both, and are told by REEVE_TEST_PROGRAM whose build they start. The two take
// turns, A B B A, so that what changes on the machine meanwhile changes both.
import { spawnSync } from "node:child_process";
import { chmodSync, mkdtempSync, readFileSync, rmSync, symlinkSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout } from "node:timers/promises";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("../", import.meta.url));
const words = process.argv.slice(2);

process.exitCode =
  words[0] === "--beside"
    ? await beside(words[1] ?? "", words.slice(words[2] === "--" ? 3 : 2))
    : measure({}, words);

async function beside(commit, filter) {
  const folder = mkdtempSync(join(tmpdir(), "reeve-beside-"));
  const tree = join(folder, "reeve");
  // Ctrl-C reaches what is measured, which then fails; what was made here goes all the same.
  process.on("SIGINT", () => undefined);
  try {
    // The front's user has to get in.
    chmodSync(folder, 0o755);
    build(commit, tree);
    const before = sideOf(commit, tree, join(folder, "before"));
    const here = sideOf("here", root, join(folder, "here"));
    for (const [turn, side] of [before, here, here, before].entries()) {
      if (turn > 0) await untilForgotten();
      console.log(`\n== ${side.name}`);
      if (measure(side.variables, filter) !== 0) return 1;
    }
    printComparison(before, here);
    return 0;
  } finally {
    spawnSync("git", ["worktree", "remove", "--force", tree], { cwd: root });
    rmSync(folder, { recursive: true, force: true });
  }
}

/**
 * For a minute after an inode was freed, and while that is not on disk, ext4 looks past it when it makes another one
 * (`recently_deleted` in fs/ext4/ialloc.c). Each turn ends with the removal of its server: the next one would pay.
 */
async function untilForgotten() {
  run("sync", [], root);
  await setTimeout(65_000);
}

function sideOf(name, checkout, data) {
  const program = join(checkout, "dist/main.js");
  return { name, data, variables: { REEVE_TEST_PROGRAM: program, REEVE_BENCH_DATA: data } };
}

/** That commit in a worktree of its own, built. */
function build(commit, tree) {
  run("git", ["worktree", "add", "--quiet", "--detach", tree, commit], root);
  const lock = (checkout) => readFileSync(join(checkout, "package-lock.json"), "utf8");
  if (lock(tree) === lock(root))
    symlinkSync(join(root, "node_modules"), join(tree, "node_modules"));
  else run("npm", ["ci", "--no-audit", "--no-fund", "--loglevel=error"], tree);
  run("npm", ["run", "--silent", "build"], tree);
}

function measure(variables, filter) {
  const vitest = ["--no-install", "vitest", "run", "--project", "bench", ...filter];
  const env = { ...process.env, ...variables };
  return spawnSync("npx", vitest, { cwd: root, env, stdio: "inherit" }).status ?? 1;
}

function run(file, args, cwd) {
  const { status } = spawnSync(file, args, { cwd, stdio: ["ignore", "inherit", "inherit"] });
  if (status !== 0) throw new Error(`${file} ${args.join(" ")} ended with ${status}`);
}

function printComparison(before, here) {
  const [old, now] = [before, here].map(({ data }) => samplesIn(data));
  const rows = [...old].map(([name, samples]) => {
    const others = now.get(name) ?? [];
    const ratio = (median(others) / median(samples)).toFixed(2);
    return [name, shown(samples), shown(others), ratio];
  });
  const headings = ["median (least to most)", before.name, here.name, "ratio"];
  const widths = headings.map((_, column) =>
    Math.max(...[headings, ...rows].map((row) => row[column].length)),
  );
  for (const row of [headings, ...rows])
    console.log(row.map((cell, column) => cell.padEnd(widths[column])).join("  "));
}

/** What was measured under each name, in all turns. */
function samplesIn(file) {
  const all = new Map();
  for (const line of readFileSync(file, "utf8").trim().split("\n")) {
    const { name, samples } = JSON.parse(line);
    all.set(name, [...(all.get(name) ?? []), ...samples]);
  }
  return all;
}

function shown(samples) {
  const [middle, least, most] = [median(samples), Math.min(...samples), Math.max(...samples)];
  const digits = middle < 10 ? 2 : 0;
  const [shownMiddle, shownLeast, shownMost] = [middle, least, most].map((n) => n.toFixed(digits));
  return `${shownMiddle} (${shownLeast} to ${shownMost}, ${samples.length} times)`;
}

function median(samples) {
  const sorted = samples.toSorted((one, other) => one - other);
  const middle = sorted.length / 2;
  return (sorted[Math.ceil(middle) - 1] + sorted[Math.floor(middle)]) / 2;
}
