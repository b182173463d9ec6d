import { describe, expect, it } from "vitest";
import { plan, type Next, type Seen, type Wanted } from "../../../../src/agent/converge/plan.ts";
import { app, preview, see, seePreview, standing } from "../../../support/unit-plan.ts";

type Case = [title: string, seen: Seen, next: Next];

const live: Wanted = { commit: "c7", onDisk: false };
const rest: Next = { do: "rest" };
const drain: Next = { do: "drain" };
const soon: Next = { do: "try again", soon: true };
const later: Next = { do: "try again", soon: false };
const point = (to: Seen["forGood"]): Next => ({ do: "point", to });
const retire = (...vassals: Seen["others"]): Next => ({ do: "retire", vassals });

const understudy = standing(app.understudy(7));
const dead = { ...understudy, awake: false };
const former = standing(app.understudy(6));
const refused = standing(app.understudy(8));
const ending = { ...former, ending: true };
const covered = { others: [understudy], link: understudy.socket } satisfies Partial<Seen>;
const nowhere = "/nowhere";

const ofPreview = standing(preview.understudy(7));
const formerOfPreview = standing(preview.onDemand(6));
const asleep = { ...formerOfPreview, awake: false };
const coveredPreview = { others: [ofPreview], link: ofPreview.socket } satisfies Partial<Seen>;
const waking = { others: [ofPreview, formerOfPreview], link: ofPreview.socket };
const unseen = { others: [ofPreview, asleep], link: ofPreview.socket };

function expectNext(wanted: Wanted, cases: Case[]): void {
  it.each(cases)("%s", (_, seen, next) => expect(plan(wanted, seen)).toEqual(next));
}

describe("an app that has settled", () => {
  expectNext(live, [
    ["rests", see(), rest],
    ["rests also where the link moved a moment ago", see({ drained: false }), rest],
    ["rests while a former understudy ends by itself", see({ others: [ending] }), rest],
    ["gets its link back where that is gone", see({ link: undefined }), point(app.forGood)],
    ["gets its link back from nowhere", see({ link: nowhere }), point(app.forGood)],
    ["settles again where somebody led its link to its understudy", see(covered), { do: "settle" }],
    [
      "gets its link back from its understudy where that died",
      see({ others: [dead], link: dead.socket }),
      point(app.forGood),
    ],
    [
      "gets its link back from an understudy that was refused",
      see({ others: [refused], link: refused.socket }),
      point(app.forGood),
    ],
    ["retires its understudy", see({ others: [understudy] }), retire(understudy)],
    ["retires an understudy that died", see({ others: [dead] }), retire(dead)],
    ["retires a former understudy", see({ others: [former] }), retire(former)],
    [
      "retires an understudy that could not be taken back",
      see({ others: [refused] }),
      retire(refused),
    ],
    [
      "retires all that are left at once, but for one that ends already",
      see({ others: [ending, understudy, refused] }),
      retire(understudy, refused),
    ],
    [
      "lets its understudy answer who waits in its queue before it retires",
      see({ others: [understudy], drained: false }),
      drain,
    ],
  ]);
});

describe("an app whose files were changed since it settled", () => {
  const astray = { progress: "astray" } as const;
  expectNext(live, [
    ["is deployed again: it cannot be stopped", see(astray), { do: "deploy", because: "vassal" }],
    ["gets its link back first", see({ ...astray, link: nowhere }), point(app.forGood)],
    ["retires what is left first", see({ ...astray, others: [refused] }), retire(refused)],
    [
      "is deployed while a former understudy ends",
      see({ ...astray, others: [ending] }),
      { do: "deploy", because: "vassal" },
    ],
    [
      "rests where that is left to others, wherever its link leads",
      see({ progress: "left to others", others: [understudy, former], link: nowhere }),
      rest,
    ],
  ]);
});

describe("an app that has yet to settle", () => {
  const unsettled = { progress: "unsettled" } as const;
  const settle: Next = { do: "settle" };
  expectNext(live, [
    ["settles behind its understudy", see({ ...unsettled, ...covered }), settle],
    [
      "gets its traffic back to its understudy from the vassal",
      see({ ...unsettled, others: [understudy] }),
      point(understudy),
    ],
    [
      "gets its traffic back to its understudy from one that is taken back",
      see({ ...unsettled, others: [understudy], link: refused.socket }),
      point(understudy),
    ],
    [
      "gets its traffic back to its understudy from nowhere",
      see({ ...unsettled, others: [understudy], link: undefined }),
      point(understudy),
    ],
    ["settles without an understudy where there is none", see(unsettled), settle],
    [
      "does not point its traffic at an understudy that died",
      see({ ...unsettled, others: [dead] }),
      settle,
    ],
    [
      "leads its traffic to the vassal where the link is gone and there is no understudy",
      see({ ...unsettled, link: undefined }),
      point(app.forGood),
    ],
    [
      "does not point its traffic at an understudy that ends",
      see({ ...unsettled, others: [{ ...understudy, ending: true }] }),
      settle,
    ],
    [
      "leaves its traffic with a former understudy where there is no other",
      see({ ...unsettled, others: [former], link: former.socket }),
      settle,
    ],
    [
      "retires nobody before it settles",
      see({ ...unsettled, others: [understudy, former], link: understudy.socket }),
      settle,
    ],
  ]);
});

describe("settling an app", () => {
  const outdated = { progress: "outdated", ...covered } as const;
  const stop: Next = { do: "stop", cut: false };
  expectNext(live, [
    ["begins when the vassal's queue is empty", see({ ...outdated, drained: false }), drain],
    ["stops the vassal behind the understudy", see(outdated), stop],
    [
      "points the traffic at the understudy before that",
      see({ ...outdated, link: app.forGood.socket }),
      point(understudy),
    ],
    [
      "retires understudies of former deploys before that",
      see({ ...outdated, others: [understudy, former] }),
      retire(former),
    ],
    [
      "lets a former understudy answer who waits in its queue",
      see({ ...outdated, others: [understudy, former], drained: false }),
      drain,
    ],
    [
      "does not wait for a former understudy to end",
      see({ ...outdated, others: [understudy, ending] }),
      stop,
    ],
    ["stops the vassal also where the understudy died", see({ ...outdated, others: [dead] }), stop],
    [
      "does not retire a former understudy that has the traffic, as nobody else could",
      see({ progress: "outdated", others: [former], link: former.socket }),
      stop,
    ],
    ["stops the vassal also where nobody stands in", see({ progress: "outdated" }), stop],
    [
      "starts the vassal that it has stopped",
      see({ ...outdated, progress: "stopped" }),
      { do: "start" },
    ],
    [
      "proves the vassal that it has started",
      see({ ...outdated, progress: "started" }),
      { do: "prove" },
    ],
    [
      "keeps the traffic away from a vassal that is not proven",
      see({ others: [understudy], progress: "started" }),
      point(understudy),
    ],
    [
      "leads the traffic to the proven vassal",
      see({ ...outdated, progress: "proven" }),
      point(app.forGood),
    ],
    [
      "proves the vassal again that died since",
      see({ ...outdated, progress: "proven", forGood: { ...app.forGood, awake: false } }),
      { do: "prove" },
    ],
    [
      "leads the traffic to the proven vassal from a dead understudy",
      see({ progress: "proven", others: [dead], link: dead.socket }),
      point(app.forGood),
    ],
    [
      "is written down as soon as the vassal has the traffic",
      see({ progress: "proven", others: [understudy], drained: false }),
      { do: "record" },
    ],
  ]);
});

describe("an app whose vassal does not come up", () => {
  const failed = { progress: "failed", ...covered } as const;
  const degraded = { ...failed, progress: "degraded" } as const;
  const held = { ...failed, progress: "held" } as const;
  const cut: Next = { do: "stop", cut: true };
  expectNext(live, [
    ["is degraded: the understudy goes on", see(failed), { do: "degrade" }],
    [
      "is degraded also where the vassal had the traffic",
      see({ ...failed, link: app.forGood.socket }),
      { do: "degrade" },
    ],
    ["is tried again soon where nobody stands in", see({ progress: "failed" }), soon],
    ["is tried again soon where the understudy died", see({ ...failed, others: [dead] }), soon],
    [
      "is tried again soon where only a former understudy is left",
      see({ progress: "failed", others: [former] }),
      soon,
    ],
    [
      "is tried again soon where the Emperor was gone",
      see({ ...failed, progress: "interrupted" }),
      soon,
    ],
    [
      "gets its traffic back to the understudy",
      see({ ...degraded, link: app.forGood.socket }),
      point(understudy),
    ],
    ["has its queue emptied before it is stopped", see({ ...degraded, drained: false }), drain],
    ["is stopped at once, so that the Emperor does not go on trying", see(degraded), cut],
    [
      "is stopped also where the understudy died meanwhile",
      see({ ...degraded, others: [dead] }),
      cut,
    ],
    ["is tried again later when it is stopped", see(held), later],
    [
      "is tried again later also where the understudy died meanwhile",
      see({ ...held, others: [dead] }),
      later,
    ],
  ]);
});

describe("a preview", () => {
  const settled = seePreview();
  expectNext(live, [
    ["that has settled rests", settled, rest],
    ["gets its link back", seePreview({ link: undefined }), point(preview.forGood)],
    [
      "has its former vassal retired when it has settled",
      seePreview({ others: [formerOfPreview] }),
      retire(formerOfPreview),
    ],
    [
      "whose files were changed settles again",
      seePreview({ progress: "astray" }),
      { do: "settle" },
    ],
    [
      "whose former vassal stands yet settles again before that retires",
      seePreview({ progress: "astray", others: [formerOfPreview] }),
      { do: "settle" },
    ],
    [
      "settles behind its understudy",
      seePreview({ progress: "unsettled", ...coveredPreview }),
      { do: "settle" },
    ],
    [
      "gets a vassal beside the one before",
      seePreview({ progress: "outdated", ...waking }),
      { do: "start" },
    ],
    [
      "waits for the queue of the one before",
      seePreview({ progress: "outdated", ...waking, drained: false }),
      drain,
    ],
    [
      "wakes the new vassal where somebody looks at the one before",
      seePreview({ progress: "started", ...waking }),
      { do: "prove" },
    ],
    [
      "wakes nobody where nobody looks",
      seePreview({ progress: "started", ...unseen }),
      point(preview.forGood),
    ],
    [
      "that was never seen wakes nobody",
      seePreview({ progress: "started", ...coveredPreview }),
      point(preview.forGood),
    ],
    [
      "that sleeps has settled",
      seePreview({ progress: "started", others: [ofPreview, asleep] }),
      { do: "record" },
    ],
    [
      "that was woken has settled",
      seePreview({ progress: "proven", others: [ofPreview, formerOfPreview] }),
      { do: "record" },
    ],
    [
      "that fell asleep again has settled",
      seePreview({
        ...{ progress: "proven", others: [ofPreview, formerOfPreview] },
        forGood: { ...preview.forGood, awake: false },
      }),
      { do: "record" },
    ],
    [
      "that does not wake is degraded",
      seePreview({ progress: "failed", ...waking }),
      { do: "degrade" },
    ],
    ["that does not wake is left to sleep", seePreview({ progress: "degraded", ...waking }), later],
    [
      "that does not wake gives the traffic back",
      seePreview({ progress: "degraded", others: [ofPreview] }),
      point(ofPreview),
    ],
  ]);
});

describe("a branch that names another commit", () => {
  const moved: Wanted = { commit: "c9", onDisk: false };
  expectNext(moved, [
    ["is deployed", see(), { do: "deploy", because: "branch" }],
    ["is deployed when the instance is in order", see({ link: undefined }), point(app.forGood)],
    ["is deployed when what is live settles", see({ progress: "unsettled" }), { do: "settle" }],
    [
      "is deployed beside that",
      see({ progress: "left to others" }),
      { do: "deploy", because: "branch" },
    ],
    ["is not deployed where it is a preview's", seePreview(), rest],
  ]);
});

describe("a branch that is gone", () => {
  const gone: Wanted = { commit: undefined, onDisk: false };
  expectNext(gone, [
    ["takes its preview with it", seePreview(), { do: "remove" }],
    [
      "takes its preview with it that settles",
      seePreview({ progress: "left to others" }),
      { do: "remove" },
    ],
    ["leaves production on the air", see(), rest],
    ["leaves production on the air that settles", see({ progress: "left to others" }), rest],
  ]);
});

describe("an instance whose Emperor does not run", () => {
  const onDisk: Wanted = { commit: "c7", onDisk: true };
  expectNext(onDisk, [
    ["is left as it is where all is in order", see(), rest],
    [
      "gets its link back from its understudy, which is not started again",
      see(covered),
      point(app.forGood),
    ],
    [
      "loses its understudy also where it has yet to settle",
      see({ progress: "unsettled", others: [understudy] }),
      retire(understudy),
    ],
    [
      "loses all other vassals without waiting for a queue",
      see({ others: [dead, refused], drained: false }),
      retire(dead, refused),
    ],
    ["does not wait for one that ends", see({ others: [ending] }), rest],
    [
      "is updated on disk where it has yet to settle",
      see({ progress: "unsettled" }),
      { do: "write" },
    ],
    [
      "is updated on disk where its files were changed",
      see({ progress: "astray" }),
      { do: "write" },
    ],
    [
      "keeps its former preview's vassal from waking",
      seePreview({ others: [formerOfPreview] }),
      retire(formerOfPreview),
    ],
    [
      "gets the vassal of a preview on disk",
      seePreview({ progress: "unsettled" }),
      { do: "write" },
    ],
  ]);
  expectNext({ ...onDisk, commit: "c9" }, [
    [
      "is deployed where its branch names another commit",
      see(),
      { do: "deploy", because: "branch" },
    ],
  ]);
  expectNext({ ...onDisk, commit: undefined }, [
    ["goes with its branch where it is a preview", seePreview(), { do: "remove" }],
  ]);
});
