import { cpSync, rmSync, writeFileSync } from "node:fs";
import { projectRoot, type TestServer } from "../support/server.ts";
import { find, receiver } from "./victims.ts";

/** A moment of a push, at which somebody is killed. */
export interface CarriedMoment {
  name: string;
  /** Over in a moment, which is held until `release`: the question, asked or answered. */
  held?: string;
  isReached: (server: TestServer) => boolean;
}

/** A question of a hook's that is held before it is asked, or before its answer ends the hook. */
const atQuestion = (name: string, held: string): CarriedMoment => ({
  ...{ name, held },
  isReached: (server) => find(server, new RegExp(`hooks/carry ${held}\\?`)) > 0,
});

/** The moments at which git and its hooks have a push in hand, in the order in which they come. */
export const carried = {
  taken: {
    name: "git takes the push",
    isReached: (server) => receiver(server) > 0,
  },
  pushAsks: atQuestion("pre-receive asks", "asks hooks/pre-receive"),
  pushWasAnswered: atQuestion("pre-receive has its answer", "was answered hooks/pre-receive"),
  refIsToMove: atQuestion("the ref is to move", "asks hooks/reference-transaction"),
  refMoves: atQuestion("the ref moves", "was answered hooks/reference-transaction"),
} satisfies Record<string, CarriedMoment>;

/** reeve's own hooks, but for what carries their questions: it waits before and after one that is held. */
export function prepareToHold(server: TestServer): void {
  const hooks = server.path("etc/hooks");
  cpSync(`${projectRoot}/hooks`, hooks, { recursive: true });
  const wait = `
sub wait_while_held {
	my ($moment) = "$_[0] $request" =~ /([^?]*)/;
	my $held;
	while (open($held, '<', '${signal(server)}') && (<$held> // '') eq $moment) {
		$0 = "perl hooks/carry $moment?";
		select(undef, undef, undef, 0.02);
	}
}
`;
  const carry = server.read("etc/hooks/carry");
  const slow = carry.replace("$| = 1;\n", `$| = 1;\n${wait}wait_while_held('asks');\n`);
  writeFileSync(`${hooks}/carry`, `${slow}wait_while_held('was answered');\n`);
  const configuration = server.read("etc/git.conf");
  writeFileSync(
    server.path("etc/git.conf"),
    configuration.replace(/hooksPath = .*/, `hooksPath = ${hooks}`),
  );
}

/** From now on this moment lasts until `release`. */
export function hold(server: TestServer, { held }: { held?: string }): void {
  if (held !== undefined) writeFileSync(signal(server), held);
}

export function release(server: TestServer): void {
  rmSync(signal(server), { force: true });
}

const signal = (server: TestServer): string => server.path("hold");
