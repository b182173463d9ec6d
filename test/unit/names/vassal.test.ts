import { basename } from "node:path";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { socketStem } from "../../../src/names/instance.ts";
import {
  parseNameOfDeploy,
  permanentVassal,
  understudyOf,
  vassalForGood,
  vassalOfDeploy,
} from "../../../src/names/vassal.ts";
import { embeddedLayout } from "../../../src/config/layout.ts";

const layout = embeddedLayout("/srv/reeve");

describe("a vassal", () => {
  it.each([
    [
      "an app is called like it, and goes from release to release",
      {
        instance: "demo",
        role: "permanent",
        deploy: 0,
        ini: "/srv/reeve/etc/vassals/demo.ini",
        socket: "/srv/reeve/run/sockets/demo.sock",
        log: "/srv/reeve/log/apps/demo.log",
        settings: "/srv/reeve/etc/apps/demo/settings",
      },
    ],
    [
      "a preview belongs to one deploy, and has the preview's log and variables",
      {
        instance: "cart--demo",
        role: "on demand",
        deploy: 7,
        ini: "/srv/reeve/etc/vassals/cart--demo.rel-7.ini",
        socket: "/srv/reeve/run/sockets/cart--demo.rel-7.sock",
        log: "/srv/reeve/log/apps/cart--demo.log",
        settings: "/srv/reeve/etc/apps/cart--demo/settings",
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
      settings: "/srv/reeve/etc/apps/demo/settings.next-7",
    });
  });

  it("of a deploy is known again by each of its files, and by no other instance's", () => {
    const role = fc.constantFrom("understudy" as const, "on demand" as const);
    const instance = fc.stringMatching(/^[a-z][a-z0-9]{0,50}(--[a-z][a-z0-9]{0,29})?$/);
    fc.assert(
      fc.property(instance, role, fc.nat(999_999_999), (name, kind, deploy) => {
        const vassal = vassalOfDeploy(layout, { instance: name, role: kind, deploy });
        const stems = [name, socketStem(name)];

        for (const path of [vassal.ini, `${vassal.ini}.socket`, vassal.socket]) {
          const parsed = parseNameOfDeploy(basename(path));
          expect(parsed).toMatchObject({ role: kind, deploy });
          expect(stems).toContain(parsed?.stem);
        }
      }),
    );
  });

  it.each([
    "demo.ini",
    "demo.next-.ini",
    "demo.next-7.ini.held",
    "demo.next-7x.ini",
    ".next-7.ini",
  ])("of a deploy is not what %s is", (name) => {
    expect(parseNameOfDeploy(name)).toBeUndefined();
  });
});
