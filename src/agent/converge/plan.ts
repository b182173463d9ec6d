import type { Vassal } from "../../names/vassal.ts";

// Who is to serve an instance, and who is to end: all that converges asks here what to do next, does that one thing, and
// looks again. Nothing here touches the disk, the Emperor or a clock.

/** What is to be so about one instance that is on the air. */
export interface Wanted {
  /** What its branch names; undefined: there is no such branch. */
  commit: string | undefined;
  /** No Emperor runs: nobody serves, and what is on disk is what the next one will start. */
  onDisk: boolean;
}

/** How far the vassal for good is with the deploy that is live. */
export type Progress =
  /** It serves the deploy, by the record and by what is on disk. */
  | "settled"
  /** By the record as well; a link or the ini was changed since. It serves what it was started with. */
  | "astray"
  /** By the record it has yet to come to the deploy. */
  | "unsettled"
  /** Others see to it: a settling that has begun, or a deploy that was asked for. */
  | "left to others"
  // And so far is a settling:
  | "outdated"
  | "stopped"
  | "started"
  | "proven"
  /** It did not come up, or could not be brought to that. */
  | "failed"
  /** Nothing is wrong with it: the Emperor was gone. */
  | "interrupted"
  /** It failed, and that is on record. */
  | "degraded"
  /** The same, and it does not run any more. */
  | "held";

/** A vassal that stands, with all its files or with one that was left. */
export interface Standing extends Vassal {
  /** Whether it has workers that answer, as far as the Emperor says. */
  awake: boolean;
  /** Somebody is retiring it just now. */
  ending: boolean;
}

/** What was observed just now of one process, the one that has the traffic, by whichever kind of server it runs. */
export interface Seen {
  /** The deploy that is live by the record. */
  live: { number: number; commit: string };
  /** Who serves it for good. */
  forGood: Standing;
  progress: Progress;
  /** All others, but for those of deploys that are under way. */
  others: Standing[];
  /** The socket that nginx's link points at. */
  link: string | undefined;
  /** Nobody waits any more in the queue of whom the link pointed at before. */
  drained: boolean;
}

/** What to do next. */
export type Next =
  /** Nothing: all is as it is wanted. */
  | { do: "rest" }
  /** The link points here from now on. */
  | { do: "point"; to: Vassal }
  /** Requests that wait in the queue of whom the link pointed at before are taken. */
  | { do: "drain" }
  /** These end in their own time, beside what comes next. */
  | { do: "retire"; vassals: Vassal[] }
  /** The vassal for good ends, and its ini is held; `cut`: without the time to finish its requests. */
  | { do: "stop"; cut: boolean }
  /** Links and ini become the deploy's, and the Emperor has them. */
  | { do: "start" }
  /** Its workers stand, and it answers well. */
  | { do: "prove" }
  /** It is written down that the deploy has settled. */
  | { do: "record" }
  /** A settling begins. */
  | { do: "settle" }
  /** It is written down that the understudy goes on. */
  | { do: "degrade" }
  /** This settling is over, and another one begins later. */
  | { do: "try again"; soon: boolean }
  /** Links and ini become the deploy's, for the next Emperor, and it is written down that it has settled. */
  | { do: "write" }
  /** It takes an understudy to go on, which only a deploy boots. */
  | { do: "deploy"; because: "vassal" | "branch" }
  /** The preview goes, as its branch has. */
  | { do: "remove" };

export function plan(wanted: Wanted, seen: Seen): Next {
  return (wanted.onDisk ? putInOrder(seen) : converge(seen)) ?? followBranch(wanted, seen);
}

/** The vassals run: whoever has the traffic keeps it until another one is proven. */
function converge(seen: Seen): Next | undefined {
  const { forGood, progress, others, link } = seen;
  if (progress === "left to others") return undefined;
  const understudy = understudyOfLive(seen);
  if (progress === "interrupted") return { do: "try again", soon: true };
  // Nobody serves in its stead: the Emperor goes on trying.
  if (progress === "failed")
    return understudy ? { do: "degrade" } : { do: "try again", soon: true };

  const serves = servesForGood(seen);
  const carrier = serves
    ? forGood
    : (understudy ?? (isSomebodys(link, seen) ? undefined : forGood));
  if (carrier && carrier.socket !== link) return { do: "point", to: carrier };
  if (serves && !isSettled(progress)) return { do: "record" };
  if (progress === "unsettled" || (isSettled(progress) && !serves)) return { do: "settle" };

  const over = others.filter((other) => isOver(other, seen));
  if (over.length > 0) return quietly(seen, { do: "retire", vassals: over });
  return update(seen);
}

/** Where all the others are as they should be: the next step of the vassal for good. */
function update(seen: Seen): Next | undefined {
  const isPermanent = seen.forGood.role === "permanent";
  switch (seen.progress) {
    case "outdated":
      return quietly(seen, isPermanent ? { do: "stop", cut: false } : { do: "start" });
    case "stopped":
      return { do: "start" };
    case "started":
    case "proven": // And it died since.
      return { do: "prove" };
    case "degraded":
      // Left where it is, the Emperor would start it again and again. One on demand is started by nobody.
      if (isPermanent) return quietly(seen, { do: "stop", cut: true });
      return { do: "try again", soon: false };
    case "held":
      return { do: "try again", soon: false };
    case "astray":
      // The permanent one has the traffic itself, and can only be stopped behind an understudy.
      return isPermanent ? { do: "deploy", because: "vassal" } : { do: "settle" };
    default:
      return undefined;
  }
}

/** No vassal runs: what the Emperor will start is what is live, and nothing else. */
function putInOrder({ forGood, progress, others, link }: Seen): Next | undefined {
  if (link !== forGood.socket) return { do: "point", to: forGood };
  const left = others.filter(({ ending }) => !ending);
  if (left.length > 0) return { do: "retire", vassals: left };
  return progress === "settled" ? undefined : { do: "write" };
}

function followBranch({ commit }: Wanted, { live, forGood }: Seen): Next {
  if (commit === live.commit) return { do: "rest" };
  // Only a preview goes with its branch; only production is deployed without a push.
  if (forGood.role === "on demand") return { do: commit === undefined ? "remove" : "rest" };
  return commit === undefined ? { do: "rest" } : { do: "deploy", because: "branch" };
}

/** The one that carried the traffic since the switch, and can go on: one that died carries nothing. */
function understudyOfLive({ live, others }: Seen): Standing | undefined {
  return others.find(
    ({ role, deploy, awake, ending }) =>
      role === "understudy" && deploy === live.number && awake && !ending,
  );
}

/** Whether the traffic may be the vassal for good's. */
function servesForGood(seen: Seen): boolean {
  const { forGood, progress, others, link } = seen;
  if (progress === "proven") return forGood.awake || forGood.role === "on demand";
  // Where somebody pointed it back to the understudy, nobody knows whether the vassal is well.
  const understudy = understudyOfLive(seen);
  if (isSettled(progress)) return understudy === undefined || understudy.socket !== link;
  // One that sleeps is woken first only where visitors are about.
  if (progress !== "started" || forGood.role !== "on demand") return false;
  return !others.some(({ role, awake }) => role === "on demand" && awake);
}

function isSettled(progress: Progress): boolean {
  return progress === "settled" || progress === "astray";
}

/** Of a vassal that stands: it may be serving, whatever it is. */
function isSomebodys(link: string | undefined, { forGood, others }: Seen): boolean {
  return [forGood, ...others].some(({ socket }) => socket === link);
}

/** Former vassals on demand stay until the new one has settled; understudies, until nobody needs them. */
function isOver(other: Standing, { live, progress, link }: Seen): boolean {
  if (other.ending || other.socket === link) return false;
  if (other.role === "on demand") return progress === "settled";
  return other.deploy !== live.number || isSettled(progress);
}

function quietly({ drained }: Seen, next: Next): Next {
  return drained ? next : { do: "drain" };
}
