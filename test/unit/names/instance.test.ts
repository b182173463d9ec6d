import { describe, expect, it } from "vitest";
import {
  deployLogPath,
  environmentPath,
  instancePaths,
  optionsFile,
  pathUnder,
  placeUrl,
  releasePath,
  repositoryPath,
  appUserName,
} from "../../../src/names/instance.ts";
import { embeddedLayout } from "../../../src/config/layout.ts";

const layout = embeddedLayout("/r");
const paths = instancePaths(layout, "demo");

describe("an instance on disk", () => {
  it("has the article's shape in its folder, with what reeve keeps beside it", () => {
    expect(paths).toMatchObject({
      folder: "/r/srv/demo",
      app: "/r/srv/demo/app",
      env: "/r/srv/demo/env",
      requirements: "/r/srv/demo/requirements.txt",
      data: "/r/srv/demo/data",
      releases: "/r/srv/demo/releases",
      environments: "/r/srv/demo/envs",
      staging: "/r/srv/demo/.staging",
    });
  });

  it("is known to uWSGI and nginx by files of its own name", () => {
    expect(paths).toMatchObject({
      log: "/r/log/apps/demo.log",
      link: "/r/lib/links/demo",
    });
  });

  it("leaves the administrator a folder for what is to survive reeve's own files", () => {
    expect(paths).toMatchObject({
      own: "/r/etc/apps/demo",
      variables: "/r/etc/apps/demo/variables",
      vassalLocal: "/r/etc/apps/demo/vassal.local.ini",
      vhostLocal: "/r/etc/apps/demo/vhost.local.conf",
    });
    expect(optionsFile(layout, "demo")).toBe("/r/etc/apps/demo.toml");
  });

  it("keeps a folder for each release, environment and deploy, and one repository", () => {
    expect(releasePath(paths, "c0ffee")).toBe("/r/srv/demo/releases/c0ffee");
    expect(environmentPath(paths, "abc")).toBe("/r/srv/demo/envs/abc");
    expect(deployLogPath(layout, "demo", 7)).toBe("/r/log/deploys/demo/7.log");
    expect(repositoryPath(layout, "demo")).toBe("/r/lib/repositories/demo.git");
  });
});

describe("the name of an app's user", () => {
  it.each([
    ["demo", false, "reeve-demo"],
    ["demo", true, "reeve-demo-preview"],
    ["x".repeat(30), false, /^reeve-x{9}-[0-9a-f]{12}$/],
    ["x".repeat(30), true, /^reeve-x{9}-[0-9a-f]{12}$/],
  ])(
    "of %s (previews: %s) leaves room for a number in 32 characters: %s",
    (app, ofPreviews, name) => {
      const given = appUserName(app, ofPreviews);

      expect(given).toMatch(typeof name === "string" ? new RegExp(`^${name}$`) : name);
      expect(given.length).toBeLessThanOrEqual(28);
    },
  );

  it("tells long names apart", () => {
    const [one, other] = ["x".repeat(29), "x".repeat(30)];

    expect(appUserName(one, true)).not.toBe(appUserName(other, true));
    expect(appUserName(one, true)).not.toBe(appUserName(one, false));
  });
});

describe("the address of a place", () => {
  it.each([
    ["http" as const, 80, {}, "http://demo.example.org/"],
    ["http" as const, 8080, {}, "http://demo.example.org:8080/"],
    ["http" as const, 443, {}, "http://demo.example.org:443/"],
    ["https" as const, 443, {}, "https://demo.example.org/"],
    ["https" as const, 8443, { path: "/new-cart/" }, "https://demo.example.org:8443/new-cart/"],
    ["http" as const, 8080, { port: 9001 }, "http://demo.example.org:9001/"],
    ["https" as const, 443, { port: 9001 }, "http://demo.example.org:9001/"],
  ])("where visitors come by %s to %i and it has %j, is %s", (scheme, port, more, url) => {
    const place = {
      scheme: "http" as const,
      host: "demo.example.org",
      path: "/",
      port: 0,
      ...more,
    };

    expect(placeUrl(place, { scheme, port })).toBe(url);
  });

  it("holds everything that is asked of the instance", () => {
    const place = {
      scheme: "http" as const,
      host: "demo.example.org",
      path: "/new-cart/",
      port: 0,
    };

    expect(pathUnder(place, "/up?now")).toBe("/new-cart/up?now");
    expect(pathUnder({ ...place, path: "/" }, "/up?now")).toBe("/up?now");
  });
});
