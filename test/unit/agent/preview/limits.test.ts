import { describe, expect, it } from "vitest";
import {
  goesAt,
  isExpired,
  leastUsed,
  type PreviewUse,
} from "../../../../src/agent/preview/limits.ts";

const now = Date.parse("2026-11-25T12:00:00Z");
const day = 86_400_000;

function used(daysAgo: number, more: Partial<PreviewUse> = {}): PreviewUse {
  return { instance: "x--demo", branch: "x", pinned: false, usedAt: now - daysAgo * day, ...more };
}

describe("a preview's age", () => {
  it.each([
    ["of a moment", used(0), false],
    ["of almost as many days", used(13.99), false],
    ["of as many days", used(14), true],
    ["of more days", used(400), true],
    ["of more days, pinned", used(400, { pinned: true }), false],
    ["in the future, where the clock went back", used(-1), false],
  ])("%s: it goes: %s", (_, use, expected) => {
    expect(isExpired(use, 14, now)).toBe(expected);
  });

  it("is told as the moment at which it goes", () => {
    expect(goesAt(used(4), 14)).toBe(now + 10 * day);
    expect(goesAt(used(4, { pinned: true }), 14)).toBeUndefined();
  });
});

describe("the preview to give up first", () => {
  it("is the one that was not used for longest, of those that are not pinned", () => {
    const uses = [
      used(3, { branch: "b" }),
      used(9, { branch: "pinned", pinned: true }),
      used(5, { branch: "c" }),
      used(1, { branch: "d" }),
    ];

    expect(leastUsed(uses)?.branch).toBe("c");
  });

  it("may not exist", () => {
    expect(leastUsed([])).toBeUndefined();
    expect(leastUsed([used(9, { pinned: true })])).toBeUndefined();
  });
});
