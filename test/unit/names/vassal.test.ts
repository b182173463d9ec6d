import { basename } from "node:path";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { socketStem } from "../../../src/names/instance.ts";
import {
  parseVassalName,
  permanentVassal,
  understudyOf,
  vassalForGood,
  vassalOf,
  type Vassal,
} from "../../../src/names/vassal.ts";
import { embeddedLayout } from "../../../src/config/layout.ts";

const layout = embeddedLayout("/srv/reeve");

describe("a vassal", () => {
  it.each([
    [
      "an app is called like it, and goes from release to release",
      {
        instance: "demo",
        process: "web",
        role: "permanent",
        deploy: 0,
        ini: "/srv/reeve/etc/vassals/demo.ini",
        socket: "/srv/reeve/run/sockets/demo.sock",
        log: "/srv/reeve/log/apps/demo.log",
        variables: "/srv/reeve/etc/apps/demo/variables",
      },
    ],
    [
      "a preview belongs to one deploy, and has the preview's log and variables",
      {
        instance: "cart--demo",
        process: "web",
        role: "on demand",
        deploy: 7,
        ini: "/srv/reeve/etc/vassals/cart--demo.rel-7.ini",
        socket: "/srv/reeve/run/sockets/cart--demo.rel-7.sock",
        log: "/srv/reeve/log/apps/cart--demo.log",
        variables: "/srv/reeve/etc/apps/cart--demo/variables",
      },
    ],
  ])("of %s", (_, vassal) => {
    expect(vassalForGood(layout, vassal.instance, 7)).toEqual(vassal);
  });

  it("that is permanent is the one for good of an app", () => {
    expect(permanentVassal(layout, "demo")).toEqual(vassalForGood(layout, "demo", 7));
  });

  it("that is an understudy has a log and variables of its own", () => {
    expect(understudyOf(layout, "demo", 7)).toMatchObject({
      role: "understudy",
      ini: "/srv/reeve/etc/vassals/demo.next-7.ini",
      log: "/srv/reeve/log/apps/demo.next-7.log",
      variables: "/srv/reeve/etc/apps/demo/variables.next-7",
    });
  });

  it.each([
    ["permanent", 0, "demo.worker.1", ["demo.worker.1", "variables"]],
    ["understudy", 7, "demo.worker.1.next-7", ["demo.worker.1.next-7", "variables.next-7"]],
    ["on demand", 7, "demo.worker.1.rel-7", ["demo.worker.1", "variables"]],
  ] as const)(
    "of another process that is %s has that in its name, and its release's variables",
    (role, deploy, name, [log, variables]) => {
      const key = { instance: "demo", process: "worker.1", role, deploy };

      expect(vassalOf(layout, key)).toEqual({
        ...key,
        ini: `/srv/reeve/etc/vassals/${name}.ini`,
        socket: `/srv/reeve/run/sockets/${name}.sock`,
        log: `/srv/reeve/log/apps/${log}.log`,
        variables: `/srv/reeve/etc/apps/demo/${variables}`,
      });
    },
  );

  const instance = fc.oneof(
    fc.constantFrom("a", "next-7", "worker", "rel-7--worker-1", "0", "cart--demo"),
    fc.stringMatching(/^[a-z][a-z0-9]{0,50}(--[a-z][a-z0-9]{0,29})?$/),
  );
  const process = fc.oneof(
    fc.constantFrom("web", "next-7.1", "rel-7.7", "ini.1", "0123456789ab.1", "next-.1", "1.1"),
    fc
      .tuple(fc.stringMatching(/^[A-Za-z0-9_-]{1,30}$/), fc.integer({ min: 1, max: 9999 }))
      .map(([type, number]) => `${type}.${number}`),
  );
  const role = fc.constantFrom("permanent" as const, "understudy" as const, "on demand" as const);
  const key = fc
    .record({ instance, process, role, deploy: fc.nat(999_999_999) })
    .map((given) => ({ ...given, deploy: given.role === "permanent" ? 0 : given.deploy }));
  const files = (vassal: Vassal): string[] => [vassal.ini, `${vassal.ini}.socket`, vassal.socket];

  it("is known again by each of its files, and by no other one's", () => {
    const isMarked = key.filter((given) => given.process !== "web" || given.role !== "permanent");
    fc.assert(
      fc.property(isMarked, ({ instance: name, ...which }) => {
        const stems = [name, socketStem(name)];

        for (const path of files(vassalOf(layout, { instance: name, ...which }))) {
          const { stem, ...parsed } = parseVassalName(basename(path)) ?? {};
          expect(parsed).toEqual(which);
          expect(stems).toContain(stem);
        }
      }),
    );
  });

  it("has its files for itself, whatever instances and types of process are called", () => {
    fc.assert(
      fc.property(key, key, (one, other) => {
        fc.pre(JSON.stringify(one) !== JSON.stringify(other));
        const taken = files(vassalOf(layout, one));

        for (const path of files(vassalOf(layout, other))) expect(taken).not.toContain(path);
      }),
    );
  });

  it.each([
    "demo.ini",
    "demo.log",
    "demo.worker.ini",
    "demo.worker-1.ini",
    "demo.worker.0.ini",
    "demo.worker.1.ini.held",
    "demo.web.2",
    "demo.next-.ini",
    "demo.next-7.ini.held",
    "demo.next-7x.ini",
    ".next-7.ini",
    "My.App.next-7.ini",
  ])("is not told by the name %s", (name) => {
    expect(parseVassalName(name)).toBeUndefined();
  });
});
