import { describe, expect, it } from "vitest";
import { absentCommit } from "../../../../src/names/names.ts";
import { answerHook } from "../../../../src/front/hooks/answer-hook.ts";
import type { HookWorld } from "../../../../src/front/push/hook-world.ts";
import { Pushers } from "../../../../src/front/push/pushers.ts";
import type { Caller } from "../../../../src/front/store/store.ts";

const commit = "1".repeat(40);

describe("the moment at which refs move", () => {
  it("is the agent's affair for branches alone, whatever moves with them", async () => {
    const asked: unknown[] = [];
    const world = {
      agent: { ask: (...words: unknown[]): Promise<unknown> => Promise.resolve(asked.push(words)) },
      pushers: new Pushers({
        policyOf: () => Promise.resolve({ productionBranch: "main", previews: "all", root: "" }),
        onGone: () => undefined,
      }),
    } as unknown as HookWorld;
    const caller = { account: "ada" } as Caller;
    world.pushers.started(process.pid, { caller, app: "demo" });
    const moved = ["refs/heads/main", "refs/tags/v1", "refs/heads/shop"];
    const text = moved.map((ref) => `${absentCommit} ${commit} ${ref}\n`).join("");
    const request = { hook: "reference-transaction", app: "demo", pid: process.pid, text };

    expect(await answerHook(world, request, () => undefined)).toBe(true);

    expect(asked).toMatchObject([
      ["switch", { app: "demo", ref: "refs/heads/main", newCommit: commit }],
      ["switch", { app: "demo", ref: "refs/heads/shop", newCommit: commit }],
    ]);
  });
});
