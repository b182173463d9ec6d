import { cpSync, rmSync, writeFileSync } from "node:fs";
import { projectRoot, type TestServer } from "../support/server.ts";
import { find, receiver } from "./victims.ts";

/** A moment of a push, at which somebody is killed. */
export interface CarriedMoment {
  name: string;
  /** Over in a moment, which is held for as long as it takes to see it. */
  isHeld?: boolean;
  isReached: (server: TestServer) => boolean;
}

/** A question of a hook's that is held before it is asked, or before its answer ends the hook. */
const held = (name: string, words: string, hook: string): CarriedMoment => ({
  ...{ name, isHeld: true },
  isReached: (server) => find(server, new RegExp(`hooks/carry ${words} hooks/${hook}\\?`)) > 0,
});

/** The moments at which git and its hooks have a push in hand, in the order in which they come. */
export const carried = {
  taken: {
    name: "git takes the push",
    isReached: (server) => receiver(server) > 0,
  },
  updateAsks: held("update asks", "asks", "update"),
  updateWasAnswered: held("update has its answer", "was answered", "update"),
  refIsToMove: held("the ref is to move", "asks", "reference-transaction"),
  refMoves: held("the ref moves", "was answered", "reference-transaction"),
} satisfies Record<string, CarriedMoment>;

/** reeve's own hooks, but for what carries their questions: while it is told so, it waits before and after each. */
export function prepareToHold(server: TestServer): void {
  const hooks = server.path("etc/hooks");
  cpSync(`${projectRoot}/hooks`, hooks, { recursive: true });
  const waiting = (words: string): string =>
    `if (-e '${signal(server)}') { $0 = "perl hooks/carry ${words} $question"; select(undef, undef, undef, 0.4); }\n`;
  const carry = server.read("etc/hooks/carry");
  const slow = carry.replace("$| = 1;\n", `$| = 1;\n${waiting("asks")}`);
  writeFileSync(`${hooks}/carry`, `${slow}${waiting("was answered")}`);
  const configuration = server.read("etc/git.conf");
  writeFileSync(
    server.path("etc/git.conf"),
    configuration.replace(/hooksPath = .*/, `hooksPath = ${hooks}`),
  );
}

/** From now on each question waits, until `release`. */
export function hold(server: TestServer): void {
  writeFileSync(signal(server), "");
}

export function release(server: TestServer): void {
  rmSync(signal(server), { force: true });
}

const signal = (server: TestServer): string => server.path("hold");
