import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  plan,
  type Next,
  type Progress,
  type Seen,
  type Standing,
  type Wanted,
} from "../../../../src/agent/converge/plan.ts";
import { pairOf, readPairs, type Pair } from "../../../support/pairs.ts";
import { app, preview, standing } from "../../../support/unit-plan.ts";

/** What becomes of one start of the vassal for good. */
type Start = "in time" | "late" | "dies" | "Emperor gone";

/** What nobody has seen, and what comes of what the plan does. */
interface Fate {
  /** Whether a vassal for good that may be running answers, where the Emperor was not asked. */
  isUp: boolean;
  /** One after the other, from one that has begun on; those that follow are in time. */
  starts: Start[];
  /** By the number of the step: an understudy that dies, or comes back, or the vassal for good that dies. */
  events: { before: number; who: number }[];
}

/** How far it is seen to be. */
const looked: Progress[] = ["settled", "astray", "unsettled"];
const running: Progress[] = [...looked, "left to others", "outdated", "started", "proven"];
const down: Progress[] = ["stopped", "failed", "interrupted", "degraded", "held"];

const pair: fc.Arbitrary<Pair> = fc
  .record({
    isPreview: fc.boolean(),
    commit: fc.constantFrom("c7", "c7", "c9", undefined),
    onDisk: fc.boolean(),
    progress: fc.constantFrom(...running, ...down),
    awake: fc.boolean(),
    others: fc.uniqueArray(
      fc.record({
        deploy: fc.integer({ min: 5, max: 8 }),
        role: fc.constantFrom("understudy" as const, "on demand" as const),
        awake: fc.constantFrom(true, true, false),
        ending: fc.constantFrom(false, false, true),
      }),
      { maxLength: 4, selector: ({ deploy, role }) => `${role} ${deploy}` },
    ),
    link: fc.integer({ min: -1, max: 4 }),
    drained: fc.boolean(),
  })
  .map(possible);
const fate: fc.Arbitrary<Fate> = fc.record({
  isUp: fc.boolean(),
  starts: fc.array(fc.constantFrom<Start[]>("in time", "late", "dies", "Emperor gone"), {
    maxLength: 3,
  }),
  events: fc.array(fc.record({ before: fc.nat(20), who: fc.nat(4) }), { maxLength: 3 }),
});

/** Without what cannot be seen together. */
function possible(drawn: Pair): Pair {
  const { isPreview, onDisk, progress } = drawn;
  const others = drawn.others.filter(
    ({ role, deploy }) => role === "understudy" || (isPreview && deploy !== 7),
  );
  // By itself nothing is tried where no Emperor runs.
  return {
    ...drawn,
    others,
    progress: onDisk && !looked.includes(progress) ? "unsettled" : progress,
  };
}

const drain = 1000;
/** The same as a server's, in milliseconds. */
const deadline = 30_000;
const never = Infinity;

/** One instance with its vassals, its link and its record, and a clock that only the model moves. */
class World {
  readonly wanted: Wanted;
  readonly forGood: Standing;
  progress: Progress;
  isRecorded: boolean;
  link: string | undefined;
  others: (Standing & { endsAt: number })[];
  #now = 0;
  #movedAt: number;
  #starts: Start[];
  /** When the vassal for good begins to answer. */
  #answersAt: number;
  #isForLive: boolean;
  /** Whether the Emperor has workers of it, where that is another thing than its answers. */
  #isListed: boolean;
  #boot = 0;

  constructor(pair: Pair, { isUp, starts }: Fate) {
    const { isPreview, commit, onDisk, progress, awake, others, link, drained } = pair;
    const vassals = isPreview ? preview : app;
    this.wanted = { commit, onDisk };
    this.forGood = vassals.forGood;
    this.progress = progress;
    this.isRecorded = ["settled", "astray"].includes(progress);
    this.others = others.map(({ deploy, role, ...is }) => ({
      ...standing(role === "understudy" ? vassals.understudy(deploy) : preview.onDemand(deploy)),
      ...is,
      endsAt: is.ending ? 500 : never,
    }));
    this.link = [this.forGood, ...this.others][link]?.socket;
    this.#movedAt = drained ? -drain : 0;
    this.#starts = [...starts];
    this.#isForLive = ["settled", "astray", "started", "proven"].includes(progress);
    this.#isListed = awake && (isPreview || down.includes(progress));
    this.#answersAt = this.#isOnDemand ? 0 : 1500;
    if (this.#isOnDemand) return;
    if (down.includes(progress)) this.#answersAt = never;
    else if (this.#isAsked ? awake : isUp || progress === "proven") this.#answersAt = 0;
    // One that has served before, and died, is started again by the Emperor.
    else if (progress === "started") this.#boots(this.#starts.shift() ?? "in time");
  }

  see(): Seen {
    const { progress, link } = this;
    const isAwake =
      this.#isListed || (!this.#isOnDemand && this.#answersAt <= this.#now) || !this.#isAsked;
    const forGood = { ...this.forGood, awake: isAwake };
    const others = this.others.map((one) => ({ ...one, awake: one.awake || !this.#isAsked }));
    const { isDrained: drained } = this;
    return { live: { number: 7, commit: "c7" }, forGood, progress, others, link, drained };
  }

  /** Nobody asks the Emperor where there is nothing to choose, and where none runs: then nobody knows of a death. */
  get #isAsked(): boolean {
    return this.others.length > 0 && !this.wanted.onDisk;
  }

  get isDrained(): boolean {
    return this.#now - this.#movedAt >= drain;
  }

  /** Whether whoever comes now gets an answer. */
  isServed(): boolean {
    if (this.wanted.onDisk) return false;
    if (this.link === this.forGood.socket) return this.#answersAt <= this.#now;
    const carrier = this.others.find(({ socket }) => socket === this.link);
    if (!carrier || carrier.ending) return false;
    // Whoever comes wakes one that sleeps.
    return carrier.awake || carrier.role === "on demand";
  }

  /** Who serves may be taken away: nobody else could, or it serves another release than the one that has settled. */
  mayCut({ do: what }: Next): boolean {
    const understudy = this.others.find(
      ({ role, deploy }) => role === "understudy" && deploy === 7,
    );
    const isAlone = !understudy?.awake || understudy.ending;
    const isOther =
      this.isRecorded && ![this.forGood, understudy].some((one) => one?.socket === this.link);
    return what === "stop" ? isAlone : what === "point" && isOther;
  }

  isAsLive(): boolean {
    this.pass(deadline);
    const isIn = this.wanted.onDisk || (this.#isForLive && this.isServed());
    const isLeft = this.others.some(({ ending }) => !ending);
    return this.isRecorded && this.link === this.forGood.socket && isIn && !isLeft;
  }

  pass(milliseconds: number): void {
    this.#now += milliseconds;
    this.others = this.others.filter(({ endsAt }) => endsAt > this.#now);
  }

  /** Of one of the others, which dies or is started again by the Emperor; or of the vassal for good, in that order. */
  happens(who: number): void {
    const other = this.others[who - 1];
    if (this.wanted.onDisk) return;
    if (other) other.awake = !other.awake;
    else if (who === 0 && !this.#isOnDemand && this.#answersAt <= this.#now)
      this.#answersAt = this.#now + 1500;
  }

  do(next: Next): void {
    this.pass(5);
    switch (next.do) {
      case "point":
        this.link = next.to.socket;
        this.#movedAt = this.#now;
        break;
      case "drain":
        this.pass(drain);
        break;
      case "retire":
        for (const other of this.others)
          if (next.vassals.some(({ ini }) => ini === other.ini))
            Object.assign(other, { ending: true, endsAt: this.#now + 3000 });
        break;
      case "stop":
        this.#answersAt = never;
        this.progress = next.cut ? "held" : "stopped";
        break;
      case "start":
        this.#start(this.#starts.shift() ?? "in time");
        break;
      case "prove":
        this.#prove();
        break;
      case "record":
        this.isRecorded = true;
        this.progress = "settled";
        break;
      case "settle":
        this.progress = "outdated";
        break;
      case "degrade":
        this.progress = "degraded";
        break;
      case "try again":
        this.pass(next.soon ? 2000 : 30_000);
        this.progress = "outdated";
        break;
      case "write":
        this.isRecorded = true;
        this.progress = "settled";
        break;
      case "deploy":
        this.progress = "left to others";
        break;
      case "rest":
      case "remove":
    }
  }

  #start(start: Start): void {
    if (start === "Emperor gone") {
      this.progress = "interrupted";
      return;
    }
    this.progress = "started";
    this.#isForLive = true;
    this.#isListed = false;
    this.#boots(start);
  }

  #boots(start: Start): void {
    this.#boot = { "in time": 2000, late: deadline + 1000, dies: never, "Emperor gone": never }[
      start
    ];
    if (!this.#isOnDemand) this.#answersAt = this.#now + this.#boot;
  }

  #prove(): void {
    const isWell = this.#answersAt <= this.#now + deadline && this.#boot <= deadline;
    this.pass(isWell ? this.#boot : deadline);
    this.progress = isWell ? "proven" : "failed";
    if (this.#isOnDemand) this.#isListed = isWell;
    else this.#answersAt = isWell ? this.#now : never;
  }

  /** The Emperor listens for it, so that who comes waits while it boots. */
  get #isOnDemand(): boolean {
    return this.forGood.role === "on demand";
  }
}

/** How many steps it may take, for each start and each event that comes between. */
const most = 16;

/** Does what the plan says until it says that nothing is left, and tells how it ended, and what it did. */
function run(
  pair: Pair,
  fate: Fate,
): { world: World; ended: Next["do"]; isDeployed: boolean; cut: string[] } {
  const world = new World(pair, fate);
  const cut: string[] = [];
  let isDeployed = false;
  const bound = most * (1 + fate.starts.length + fate.events.length);
  for (let step = 0; step < bound; step += 1) {
    for (const { who } of fate.events.filter(({ before }) => before === step)) world.happens(who);
    const next = plan(world.wanted, world.see());
    const mayCut = world.mayCut(next);
    const wasServed = world.isServed();
    const isHasty = ["retire", "stop"].includes(next.do) && !world.isDrained && !pair.onDisk;
    if (isHasty) cut.push(`step ${step}: ${next.do}, with requests in its queue`);
    world.do(next);
    if (wasServed && !world.isServed() && !mayCut) cut.push(`step ${step}: ${next.do}`);
    if (next.do === "rest" || next.do === "remove")
      return { world, ended: next.do, isDeployed, cut };
    if (next.do === "deploy" && next.because === "branch")
      return { world, ended: next.do, isDeployed: true, cut };
    isDeployed ||= next.do === "deploy";
  }
  return { world, ended: "try again", isDeployed, cut };
}

/** What is wanted is so in the end, and nobody was taken away who served. */
function expectGood(pair: Pair, fate: Fate): void {
  const { world, ended, isDeployed, cut } = run(pair, fate);
  const isGone = pair.isPreview && pair.commit === undefined;
  const isMoved = !pair.isPreview && pair.commit === "c9";
  const isLeft = pair.progress === "left to others" || isDeployed;
  expect({ cut, ended, isAsLive: isLeft || world.isAsLive() }).toEqual({
    cut: [],
    ended: isGone ? "remove" : isMoved ? "deploy" : "rest",
    isAsLive: true,
  });
}

describe("whatever is wanted and whatever is seen", () => {
  it("the plan ends in what is wanted, and takes nobody away who serves", () => {
    fc.assert(fc.property(pair, fate, expectGood), { numRuns: 10_000 });
  });
});

describe("whatever was wanted and seen while the fault tests ran", () => {
  const pairs = readPairs();

  it("is what the model begins with, for every step of a settling", () => {
    const worlds = pairs.map((pair) => new World(pair, { isUp: true, starts: [], events: [] }));

    expect(worlds.map((world) => pairOf(world.wanted, world.see()))).toEqual(pairs);
    expect(pairs.length).toBeLessThan(500);
    expect(pairs.map(({ progress }) => progress)).toEqual(
      expect.arrayContaining(["unsettled", "outdated", "stopped", "started", "proven", "settled"]),
    );
  });

  it("the plan ends in what is wanted, and takes nobody away who serves", () => {
    for (const pair of pairs)
      fc.assert(
        fc.property(fate, (after) => expectGood(pair, after)),
        { numRuns: 20 },
      );
  });
});
