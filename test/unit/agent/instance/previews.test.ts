import { mkdirSync, utimesSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";
import { describe, expect, it } from "vitest";
import {
  expectPreview,
  expectRoom,
  previewDays,
  previewUses,
} from "../../../../src/agent/instance/previews.ts";
import { optionsOf, pathsOf, type DeployContext } from "../../../../src/agent/world/context.ts";
import type { Preview } from "../../../../src/agent/store/previews.ts";
import { agentWorld, claim, previewOf } from "../../../support/unit-agent.ts";

const [monday, tuesday] = [new Date("2026-11-23"), new Date("2026-11-24")];

/** An app with two previews, of which the first was pushed first. */
function world() {
  const made = agentWorld();
  const { context } = made;
  Object.assign(context.config.server, { preview_limit: 10 });
  previewOf(made, "shop", monday);
  previewOf(made, "blog", tuesday);
  claim(made, "new");
  const preview = (branch: string): Preview => context.store.previews.of("demo", branch)!;
  return { context, preview };
}

function visit(context: DeployContext, name: string, at: Date): void {
  const { log } = pathsOf(context, name);
  mkdirSync(dirname(log), { recursive: true });
  writeFileSync(log, "");
  utimesSync(log, at, at);
}

describe("when a preview was last used", () => {
  it("is its push, or a later visit; one that is only being made was used just now", async () => {
    const { context } = world();
    const before = Date.now();
    visit(context, "shop--demo", new Date("2026-11-25"));

    const uses = await previewUses(context, "demo");

    const usedAt = new Map(uses.map((use) => [use.branch, use.usedAt]));
    expect(usedAt.get("shop")).toBe(Date.parse("2026-11-25"));
    expect(usedAt.get("blog")).toBe(tuesday.getTime());
    expect(usedAt.get("new")).toBeGreaterThanOrEqual(before);
  });

  it("counts for as many days as the app says, and no more than the server says", async () => {
    const { context } = world();
    const options = await optionsOf(context, "demo");

    const days = [14, 400].map((preview_days) =>
      previewDays(context, { ...options, preview_days }),
    );

    expect(days).toEqual([14, 90]);
  });
});

describe("room for one preview more", () => {
  const rules: [what: string, app: number, server: number, problem: RegExp | undefined][] = [
    ["where there is some", 3, 3, undefined],
    ["where the app has as many as it may", 2, 3, /^demo has 2 previews, and 2 are the most$/],
    ["where the server has", 3, 2, /^this server has 2 previews, and 2 are the most$/],
  ];
  it.each(rules)("%s", async (_, ofApp, ofServer, problem) => {
    const { context, preview } = world();
    Object.assign(context.config.server, { preview_limit: ofServer });
    const options = { ...(await optionsOf(context, "demo")), preview_limit: ofApp };

    const room = expectRoom(context, preview("new"), options);

    if (!problem) return expect(room).resolves.toBeUndefined();
    await expect(room).rejects.toMatchObject({
      code: "PREVIEW_LIMIT",
      message: expect.stringMatching(problem) as string,
      hint: expect.stringContaining("shop was longest without a push or a visit") as string,
    });
  });

  it("is there for one that is on the air already", async () => {
    const { context, preview } = world();
    const options = { ...(await optionsOf(context, "demo")), preview_limit: 0 };

    await expect(expectRoom(context, preview("shop"), options)).resolves.toBeUndefined();
  });

  it("cannot be made where all others are pinned, and the hint says so", async () => {
    const { context, preview } = world();
    for (const name of ["shop--demo", "blog--demo"]) context.store.previews.pin(name, true);
    const options = { ...(await optionsOf(context, "demo")), preview_limit: 1 };

    await expect(expectRoom(context, preview("new"), options)).rejects.toMatchObject({
      hint: expect.stringContaining("because they are pinned") as string,
    });
  });
});

describe("the preview that somebody means", () => {
  it.each(["shop", "refs/heads/shop", "shop--demo"])("is found by %s", (named) => {
    expect(expectPreview(world().context, "demo", named)).toMatchObject({ branch: "shop" });
  });

  it.each(["nosuch", "shop--other"])("is not %s", (named) => {
    const { context } = world();

    expect(() => expectPreview(context, "demo", named)).toThrow(
      `demo has no preview of "${named}"`,
    );
  });
});
