import { describe, expect, it } from "vitest";
import { absentCommit } from "../../../../src/names/names.ts";
import { UserError } from "../../../../src/errors.ts";
import { answerHook } from "../../../../src/front/hooks/answer-hook.ts";
import type { HookWorld } from "../../../../src/front/push/hook-world.ts";
import { Pushers } from "../../../../src/front/push/pushers.ts";

const commit = "1".repeat(40);

/** What the pusher reads after a ref has moved, of an agent that answers so, one time after the other. */
async function saidAfter(newCommit: string, answers: (UserError | null)[]): Promise<string[]> {
  const ask = (): Promise<null> => {
    const answer = answers.shift() ?? null;
    return answer ? Promise.reject(answer) : Promise.resolve(null);
  };
  const world = {
    agent: { ask },
    pushers: new Pushers({
      policyOf: () => Promise.resolve({ productionBranch: "main", previews: "all", root: "" }),
      onGone: () => undefined,
    }),
  } as unknown as HookWorld;
  const said: string[] = [];
  const text = `${commit} ${newCommit} refs/heads/shop\n`;
  const request = { hook: "post-receive", app: "demo", pid: process.pid, text };
  expect(await answerHook(world, request, (line) => said.push(line))).toBe(true);
  return said;
}

const down = new UserError("SERVER_DOWN", "no agent");
const full = new UserError("NO_SPACE", "no space left on the disk");

describe("what is said once a ref has moved, of an agent that fell or failed", () => {
  it.each([
    ["a push", commit, "on the air; its agent was started anew meanwhile and has written it down"],
    [
      "the end of a branch",
      absentCommit,
      "the branch is gone; its agent was started anew meanwhile and has removed what was on the air",
    ],
  ])("%s: it is back", async (_, newCommit, words) => {
    expect(await saidAfter(newCommit, [down, null])).toEqual([`reeve: ${words}`]);
  });

  it.each([
    ["a push", commit, "on the air all the same; written down as soon as that is mended"],
    [
      "the end of a branch",
      absentCommit,
      "the branch is gone all the same; what was on the air goes as soon as that is mended",
    ],
  ])("%s: it could not do its part", async (_, newCommit, words) => {
    const said = await saidAfter(newCommit, [full]);

    expect(said[0]).toBe("error[NO_SPACE]: no space left on the disk");
    expect(said.at(-1)).toBe(`reeve: ${words}: reeve apps`);
  });
});
