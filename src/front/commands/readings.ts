import type { AgentClient } from "../../protocol/client.ts";
import type { CommandRequest } from "../../protocol/commands.ts";
import { readings, type Reading } from "../../protocol/readings.ts";
import type { Caller } from "../store/store.ts";
import type { Rights } from "../accounts/rights.ts";
import type { Asked, Commands, CommandWorld } from "./command.ts";

/** What the agent answers, and the front hands on to whoever may ask. */
export function readingCommands(world: CommandWorld): Commands<Reading | "apps" | "logs"> {
  const { agent, rights } = world;
  return {
    ...handedOn(agent),
    apps: {
      run: async (_, { caller }) =>
        (await agent.ask("apps", {})).filter(({ app }) => rights.may(caller, "show", app)),
    },
    logs: { run: (request, asked) => streamLogs(world, request, asked) },
  };
}

/** What takes the agent long, it stops when nobody waits for it any more. */
function handedOn(agent: AgentClient): Commands<Reading> {
  const names = Object.keys(readings) as Reading[];
  const each = names.map((name) => [
    name,
    {
      run: (request: never, { exchange: { gone } }: Asked) =>
        agent.ask(name, request, { signal: gone }),
    },
  ]);
  return Object.fromEntries(each) as Commands<Reading>;
}

const rejudgeEvery = 1000;

/** A log may be followed for days: the right to it is judged again and again. */
async function streamLogs(
  { agent, rights }: CommandWorld,
  request: CommandRequest<"logs">,
  { caller, exchange: { say, gone } }: Asked,
): Promise<null> {
  const over = new AbortController();
  const watch = setInterval(() => {
    if (!mayStill(rights, caller, request.app)) over.abort();
  }, rejudgeEvery);
  const signal = AbortSignal.any([gone, over.signal]);
  try {
    return await agent.ask("logs", request, { onLine: say, signal });
  } catch (error) {
    if (over.signal.aborted) rights.expect(caller, "logs", request.app);
    throw error;
  } finally {
    clearInterval(watch);
  }
}

/** Thrown in a timer, what keeps it from being judged would end us: it is thrown where this log ends. */
function mayStill(rights: Rights, caller: Caller, app: string): boolean {
  try {
    return rights.may(caller, "logs", app);
  } catch {
    return false;
  }
}
