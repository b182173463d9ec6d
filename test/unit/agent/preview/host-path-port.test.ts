import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { Place } from "../../../../src/names/instance.ts";
import { choosePlace, placesOf } from "../../../../src/agent/preview/host-path-port.ts";
import { choosePreviewName } from "../../../../src/agent/preview/slug.ts";
import { AgentStore } from "../../../../src/agent/store/store.ts";

const own = { preview_host: "", preview_ports: "" };
const domain = "example.org";
const place = { scheme: "http" as const, host: "preview.intranet", path: "/", port: 0 };

describe("the places of a preview", () => {
  it.each([
    ["a host of its own", own, [{ ...place, host: "new-cart--demo.example.org" }]],
    [
      "a path at the one host, with its app in it where another app has that path",
      { ...own, preview_host: "preview.intranet" },
      [
        { ...place, path: "/new-cart/" },
        { ...place, path: "/new-cart--demo/" },
      ],
    ],
    [
      "a port at the one host",
      { preview_host: "preview.intranet", preview_ports: "9000-9001" },
      [
        { ...place, port: 9000 },
        { ...place, port: 9001 },
      ],
    ],
    [
      "a port at the server's domain, where no other host is named",
      { ...own, preview_ports: "9000-9000" },
      [{ ...place, host: domain, port: 9000 }],
    ],
  ])("are %s", (_, options, places) => {
    expect(placesOf("new-cart--demo", domain, options)).toEqual(places);
  });
});

describe("the place of a preview", () => {
  const [one, two] = [9000, 9001].map((port) => ({ ...place, port })) as [Place, Place];

  it("stays, as long as the options have it", () => {
    expect(choosePlace([one, two], two, () => true)).toEqual(two);
  });

  it("is another one when the options have it no longer", () => {
    expect(choosePlace([one], two, () => true)).toEqual(one);
  });

  it("is the first that is free", () => {
    expect(choosePlace([one, two], undefined, ({ port }) => port !== 9000)).toEqual(two);
  });

  it("is none where all are taken", () => {
    expect(choosePlace([one, two], undefined, () => false)).toBeUndefined();
  });
});

const options = fc.record({
  preview_host: fc.constantFrom("", "preview.intranet", "other.intranet"),
  preview_ports: fc.constantFrom("", "", "9000-9004", "9003-9008"),
});
const step = fc.record({
  app: fc.constantFrom("a", "b", "a-b"),
  branch: fc.string({ unit: fc.constantFrom("a", "b", "-", "/", "A"), minLength: 1, maxLength: 3 }),
  options,
  does: fc.constantFrom("is pushed", "is pushed", "goes on the air", "leaves"),
});
type Step = typeof step extends fc.Arbitrary<infer T> ? T : never;

/** Whether a visitor of one might get the other. */
function overlap(one: Place, other: Place): boolean {
  if (one.port !== other.port) return false;
  if (one.port !== 0) return true;
  return (
    one.host === other.host && [other.path, "/"].some((path) => [path, "/"].includes(one.path))
  );
}

/** What one push, or the end of a branch, does in the store; a push that finds no place is refused. */
function take(store: AgentStore, { app, branch, options: set, does }: Step): void {
  const known = store.previews.of(app, branch);
  if (does === "leaves") {
    if (known) {
      store.instances.putBack(known.instance, undefined);
      store.previews.forget(known.instance);
    }
    return;
  }
  try {
    const { instance, place: claimed } = store.previews.claim(app, branch, {
      name: (isTaken) => choosePreviewName(app, branch, isTaken),
      place: (name, current, isFree) => {
        const chosen = choosePlace(placesOf(name, domain, set), current, isFree);
        if (!chosen) throw new Error("there is no place");
        return chosen;
      },
    });
    if (does === "goes on the air")
      store.instances.place({ name: instance, app, branch, place: claimed });
  } catch (error) {
    expect((error as Error).message).toBe("there is no place");
  }
}

describe("whatever branches are called, however options change, and in whatever order they come and go", () => {
  it("no two previews, nor a preview and an app, ever have places that run into each other", () => {
    fc.assert(
      fc.property(fc.array(step, { minLength: 1, maxLength: 30 }), (steps) => {
        const store = new AgentStore(":memory:");
        for (const name of ["a", "b", "a-b"]) {
          store.apps.create(name);
          const at = { scheme: "http" as const, host: `${name}.${domain}`, path: "/", port: 0 };
          store.instances.place({ name, app: name, branch: "main", place: at });
        }
        for (const taken of steps) {
          take(store, taken);
          const held = [
            ...store.instances.all().map(({ name, place: at }) => ({ name, at })),
            ...store.previews.all().map(({ instance, place: at }) => ({ name: instance, at })),
          ];
          for (const one of held)
            for (const other of held)
              if (one.name !== other.name) expect(overlap(one.at, other.at)).toBe(false);
        }
        store.close();
      }),
      { numRuns: 300 },
    );
  });
});
