import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { instancePaths, socketStem } from "../../../../src/names/instance.ts";
import {
  appOfInstance,
  isAppName,
  isHostName,
  isPreviewName,
} from "../../../../src/names/names.ts";
import { embeddedLayout } from "../../../../src/config/layout.ts";
import { choosePreviewName, slugOf } from "../../../../src/agent/preview/slug.ts";
import { AgentStore } from "../../../../src/agent/store/store.ts";

const free = (): boolean => false;

describe("a branch's slug", () => {
  it.each([
    ["new-cart", "new-cart"],
    ["feature/new-cart", "feature-new-cart"],
    ["Feature/NEW_cart", "feature-new-cart"],
    ["release/1.2.x", "release-1-2-x"],
    ["-rf", "rf"],
    ["--upload-pack=x", "upload-pack-x"],
    ["$(id)", "id"],
    ["@(/etc/passwd)", "etc-passwd"],
    ["a--b", "a-b"],
    ["42", "42"],
    ["é", ""],
  ])("of %s is %j", (branch, slug) => {
    expect(slugOf(branch)).toBe(slug);
  });
});

describe("a preview's name", () => {
  it("is the slug and the app, where nothing speaks against it", () => {
    expect(choosePreviewName("demo", "feature/new-cart", free)).toBe("feature-new-cart--demo");
  });

  it.each([
    ["nothing of the name is left", "é", /^[0-9a-f]{8}--demo$/],
    ["it would stand for another script", "xn", /^xn-[0-9a-f]{8}--demo$/],
    ["it had to be cut", "a".repeat(244), /^a{48}-[0-9a-f]{8}--demo$/],
    [
      "it had to be cut at a hyphen",
      `${"a".repeat(47)}/${"b".repeat(40)}`,
      /^a{47}-[0-9a-f]{8}--demo$/,
    ],
  ])("has a hash where %s", (_, branch, name) => {
    expect(choosePreviewName("demo", branch, free)).toMatch(name);
  });

  it("has a hash where another branch has the slug", () => {
    const name = choosePreviewName(
      "demo",
      "Feature/new_cart",
      (taken) => taken === "feature-new-cart--demo",
    );

    expect(name).toMatch(/^feature-new-cart-[0-9a-f]{8}--demo$/);
  });

  it("is free even where somebody gave a branch the name that the hash makes", () => {
    const taken = new Set(["x--demo"]);
    const hashed = choosePreviewName("demo", "X", (name) => taken.has(name));
    taken.add(hashed);

    expect(taken).not.toContain(choosePreviewName("demo", "X", (name) => taken.has(name)));
  });

  it.each(["new-cart--demo", "a--my-shop", "3--x"])("tells whose it is: %s", (name) => {
    expect(isPreviewName(name)).toBe(true);
    expect(appOfInstance(name)).toBe(name.split("--")[1]);
    expect(isAppName(name)).toBe(false);
  });

  it("is told from an app's own", () => {
    expect(isPreviewName("my-shop")).toBe(false);
    expect(appOfInstance("my-shop")).toBe("my-shop");
  });
});

const branch = fc.oneof(
  fc.constantFrom(
    "main",
    "MAIN",
    "Main",
    "a",
    "a/b",
    "a-b",
    "A_b",
    "a.b",
    "-a",
    "é",
    "e\u0301",
    "ü",
    "xn",
    "HEAD",
  ),
  fc.string({
    unit: fc.constantFrom("a", "b", "-", "/", ".", "_", "A"),
    minLength: 1,
    maxLength: 5,
  }),
  fc.string({ unit: "grapheme", minLength: 1, maxLength: 244 }),
  fc.stringMatching(/^[aA]{40,60}$/),
);
const app = fc.constantFrom("demo", "a", "a-b", "b", "shop-dev", "x".repeat(30));
const step = fc.record({ app, branch, leaves: fc.boolean() });
const layout = embeddedLayout("/srv/reeve");

/** Applies pushes and removals in their order; calls back with the names that stand after each. */
function afterEach(
  steps: { app: string; branch: string; leaves: boolean }[],
  look: (names: Map<string, string>) => void,
): void {
  const store = new AgentStore(":memory:");
  for (const name of new Set(steps.map((taken) => taken.app))) store.apps.create(name);
  for (const taken of steps) {
    const claim = store.previews.claim(taken.app, taken.branch, {
      name: (isTaken) => choosePreviewName(taken.app, taken.branch, isTaken),
      place: (name) => ({ scheme: "http", host: `${name}.example.org`, path: "/", port: 0 }),
    });
    if (taken.leaves) store.previews.forget(claim.instance);
    look(new Map(store.previews.all().map((one) => [`${one.app} ${one.branch}`, one.instance])));
  }
  store.close();
}

describe("whatever branches are called, and in whatever order they come and go", () => {
  it("no two of them ever share a host, a folder or a socket, and each keeps its own", () => {
    fc.assert(
      fc.property(fc.array(step, { minLength: 1, maxLength: 25 }), (steps) => {
        let before = new Map<string, string>();
        afterEach(steps, (names) => {
          const paths = [...names.values()].map((name) => instancePaths(layout, name));
          for (const unique of [
            [...names.values()],
            paths.map(({ folder }) => folder),
            paths.map(({ link }) => link),
          ]) {
            expect(new Set(unique).size).toBe(names.size);
          }
          for (const [who, name] of names) expect(before.get(who) ?? name).toBe(name);
          before = names;
        });
      }),
      { numRuns: 300 },
    );
  });

  it("each name is one label of a host, no app's, and known as its app's", () => {
    fc.assert(
      fc.property(app, branch, (owner, pushed) => {
        const name = choosePreviewName(owner, pushed, free);

        expect(name).toMatch(/^[a-z0-9]+(-[a-z0-9]+)*--[a-z0-9]+(-[a-z0-9]+)*$/);
        expect(name.length).toBeLessThanOrEqual(63);
        expect(name.startsWith("xn--")).toBe(false);
        expect(isHostName(`${name}.example.org`)).toBe(true);
        expect(isAppName(name)).toBe(false);
        expect(appOfInstance(name)).toBe(owner);
        expect(socketStem(name).length).toBeLessThanOrEqual(30);
      }),
      { numRuns: 2000 },
    );
  });
});

describe("all branches of up to three characters, of apps whose names could run into theirs", () => {
  it("have a host each (threats V2, V3)", () => {
    const letters = ["a", "b", "-", "/", ".", "_", "A"];
    const branches = letters.flatMap((one) => [
      one,
      ...letters.flatMap((two) => [one + two, ...letters.map((three) => one + two + three)]),
    ]);
    const taken = new Set<string>();
    for (const owner of ["a", "b", "a-b", "b-a"]) {
      for (const pushed of branches) {
        const name = choosePreviewName(owner, pushed, (known) => taken.has(known));
        expect(taken.has(name)).toBe(false);
        taken.add(name);
      }
    }
  });
});
