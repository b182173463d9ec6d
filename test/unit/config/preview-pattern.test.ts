import { describe, expect, it } from "vitest";
import { isPreviewed } from "../../../src/config/preview-pattern.ts";

describe("the option previews", () => {
  it.each([
    ["all", "anything/at all", true],
    ["off", "off", false],
    ["feature/*", "feature/cart", true],
    ["feature/*", "feature/cart/two", true],
    ["feature/*", "feature", false],
    ["feature/*", "my-feature/cart", false],
    ["feature/* fix/*", "fix/1", true],
    ["*", "$(id)", true],
    ["staging", "staging", true],
    ["staging", "staging2", false],
    ["*-preview", "cart-preview", true],
    ["*-preview", "cart-preview2", false],
    ["a*a", "a", false],
    ["a*a", "aa", true],
    ["a*b*c", "a-b-c", true],
    ["a*b*c", "a-c-b", false],
    ["a.c", "abc", false],
  ])("%s: the branch %s is on the air: %s", (previews, branch, expected) => {
    expect(isPreviewed(previews, branch)).toBe(expected);
  });

  it("is quick with any pattern", () => {
    const began = performance.now();

    expect(isPreviewed(`${"*a".repeat(200)}b`, "a".repeat(244))).toBe(false);

    expect(performance.now() - began).toBeLessThan(100);
  });
});
