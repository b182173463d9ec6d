import type { TestServer } from "../support/server.ts";
import { childrenOf, kill, processesUnder } from "../support/processes.ts";

const receivePack = /receive-pack.*demo\.git/;

/** The number of the first of a server's processes whose words are these; 0 where there is none. */
export function find(server: TestServer, title: RegExp): number {
  return processesUnder(server.home).find((running) => title.test(running.title))?.pid ?? 0;
}

/** `git receive-pack`, which carries the push to `demo`. */
export function receiver(server: TestServer): number {
  return find(server, receivePack);
}

/** Who is killed. Their number; 0 where they are not there at that moment. */
export const victims: Record<string, (server: TestServer, client: number) => number> = {
  agent: (server) => server.servicePid("agent"),
  front: (server) => server.servicePid("front"),
  "git's hook": (server) => find(server, /^(\/bin\/)?sh .*hooks\//),
  "the hook's carrier": (server) => find(server, /perl .*hooks\/carry/),
  "git receive-pack": receiver,
  client: (_, client) => childrenOf(client).flatMap(childrenOf)[0] ?? client,
  Emperor: (server) => Number(server.read("run/emperor.pid")),
  nginx: (server) => Number(server.read("run/nginx.pid")),
};

/** Without these, no app answers for a moment: what their visitors see is not counted. */
export const carriers = ["Emperor", "nginx"];
export const supervised = ["agent", "front", ...carriers];

/** All pairs of a victim and a moment, or those that `ROUNDS=victim@moment` names by parts of their names. */
export function chosen(moments: string[]): [string, string][] {
  const cases = Object.keys(victims).flatMap((victim) =>
    moments.map((moment): [string, string] => [victim, moment]),
  );
  const [named = "", when = ""] = (process.env["ROUNDS"] ?? "").split("@");
  if (named === "all") return cases;
  return cases.filter(([victim, moment]) => victim.includes(named) && moment.includes(when));
}

export function killTree(pid: number): void {
  const children = childrenOf(pid);
  kill(pid);
  for (const child of children) killTree(child);
}
