import type { AgentClient } from "../../protocol/client.ts";
import { asUserError, describeError } from "../../errors.ts";
import { waitFor } from "../../system/clock.ts";
import type { Holder } from "../../names/deploy.ts";

/** Milliseconds that an agent which fell has to come back, before whoever deploys is told to look later. */
const timeout = 10_000;

/** What has happened by then, whatever becomes of the agent, and what the agent still does. */
const moved = {
  is: "on the air",
  does: "writes it down",
  did: "has written it down",
  since: "written down",
};
const removed = {
  is: "the branch is gone",
  does: "removes what was on the air",
  did: "has removed what was on the air",
  since: "what was on the air goes",
};

/**
 * The branch has moved and its release is on the air, or it is gone; an agent that falls now does its part when
 * it is back. `REF_MOVED` where it took the deploy back before.
 */
export async function confirm(
  agent: AgentClient,
  request: { holder: Holder; ref: string },
  { isGone = false, say }: { isGone?: boolean; say: (line: string) => void },
): Promise<void> {
  const { is, does, did, since } = isGone ? removed : moved;
  let tries = 0;
  let words = 0;
  const onLine = (line: string): void => {
    words += 1;
    say(line);
  };
  const done = await waitFor(
    () => {
      tries += 1;
      return agent.ask("confirm", request, { onLine }).then(
        () => true,
        (error: unknown) => {
          const told = asUserError(error);
          if (told.code === "SERVER_DOWN") return false;
          if (told.code === "REF_MOVED") throw told;
          for (const line of describeError(told)) onLine(line);
          onLine(`reeve: ${is} all the same; ${since} as soon as that is mended: reeve apps`);
          return true;
        },
      );
    },
    { within: timeout, every: 100 },
  );
  if (!done) say(`reeve: ${is}; its agent is down and ${does} when it is back: reeve apps`);
  else if (tries > 1 && words === 0)
    say(`reeve: ${is}; its agent was started anew meanwhile and ${did}`);
}
