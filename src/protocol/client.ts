import { callVerb } from "./channel.ts";
import type { AgentVerb, AgentResponse, AgentRequest } from "./agent-verbs.ts";

interface AskOptions {
  onLine?: (line: string) => void;
  onSent?: () => void;
  signal?: AbortSignal;
}

/** The agent, as the front sees it. */
export class AgentClient {
  readonly #socketPath: string;

  constructor(socketPath: string) {
    this.#socketPath = socketPath;
  }

  ask<N extends AgentVerb>(
    name: N,
    request: AgentRequest<N>,
    options: AskOptions = {},
  ): Promise<AgentResponse<N>> {
    const whenDown = "reeve's agent does not answer: nothing was deployed, and the apps run on";
    const hintWhenDown =
      "Try again in a moment; if that does not help, ask the server's administrator.";
    return callVerb(this.#socketPath, name, request, {
      ...options,
      whenDown,
      hintWhenDown,
    }) as Promise<AgentResponse<N>>;
  }
}
