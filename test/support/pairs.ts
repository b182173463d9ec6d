import { readFileSync, writeFileSync } from "node:fs";
import type { Progress, Seen, Standing, Wanted } from "../../src/agent/converge/plan.ts";

/** What is wanted and seen of one instance, whose seventh deploy is live: without paths, commits and numbers of its own. */
export interface Pair {
  isPreview: boolean;
  /** What its branch names: `c7` is live. Left out: there is no such branch. */
  commit?: string | undefined;
  onDisk: boolean;
  progress: Progress;
  /** Of the vassal for good. */
  awake: boolean;
  others: Other[];
  /** 0: the vassal for good; n: the nth of the others; any other number: nowhere. */
  link: number;
  drained: boolean;
}

export interface Other {
  deploy: number;
  role: "understudy" | "on demand";
  awake: boolean;
  ending: boolean;
}

/** Those that were recorded, a line each. */
const file = new URL("recorded-pairs.jsonl", import.meta.url);

export function readPairs(): Pair[] {
  const lines = readFileSync(file, "utf8").trim().split("\n").filter(Boolean);
  return lines.map((line) => JSON.parse(line) as Pair);
}

/** Each of them once, in an order that is the same for the same pairs. */
export function writePairs(pairs: Pair[]): void {
  const lines = new Set(pairs.map((pair) => `${JSON.stringify(pair)}\n`));
  writeFileSync(file, [...lines].sort().join(""));
}

export function pairOf(wanted: Wanted, seen: Seen): Pair {
  const { live, forGood, progress, drained } = seen;
  const others = seen.others.toSorted(
    (one, two) => one.deploy - two.deploy || one.role.localeCompare(two.role),
  );
  const isLive = wanted.commit === live.commit;
  return {
    isPreview: forGood.role === "on demand",
    commit: wanted.commit && (isLive ? "c7" : "c9"),
    ...{ onDisk: wanted.onDisk, progress, awake: forGood.awake },
    others: others.map((other) => otherOf(other, seen)),
    link: [forGood, ...others].findIndex(({ socket }) => socket === seen.link),
    drained,
  };
}

/** Those before the live deploy count down from 6, and those after it up from 8. */
function otherOf({ deploy, role, awake, ending }: Standing, { live, others }: Seen): Other {
  if (role === "permanent") throw new Error("another permanent vassal of the same process");
  const [least, most] = [deploy, live.number].sort((one, two) => one - two) as [number, number];
  const between = others.map((other) => other.deploy).filter((one) => least < one && one < most);
  const away = deploy === live.number ? 0 : 1 + new Set(between).size;
  return { deploy: 7 + Math.sign(deploy - live.number) * away, role, awake, ending };
}
