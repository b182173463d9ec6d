import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import type { Instance } from "../../../../src/names/instance.ts";
import { provideVhost } from "../../../../src/agent/instance/vhosts.ts";
import { provideFolders } from "../../../../src/agent/instance/folders.ts";
import { optionsOf, pathsOf } from "../../../../src/agent/world/context.ts";
import { servingWorld } from "../../../support/unit-serving.ts";

const place = { scheme: "http" as const, host: "demo.localhost", path: "/", port: 0 };
const demo: Instance = { name: "demo", app: "demo", branch: "main", place };
const shop: Instance = { ...demo, name: "shop--demo", branch: "shop" };

async function world() {
  const made = await servingWorld();
  const { context, layout, system } = made;
  const options = await optionsOf(context, "demo");
  const textOf = ({ name }: Instance): string =>
    readFileSync(join(layout.sitesAvailable, `${name}.conf`), "utf8");
  const provide = (instance: Instance, changed: Partial<typeof options> = {}) =>
    provideVhost(context, instance, { ...options, ...changed });
  return { context, layout, system, provide, textOf };
}

describe("an instance's server block", () => {
  it("is made once, and nginx is told of nothing that is there already", async () => {
    const { provide, system } = await world();

    expect([await provide(demo), await provide(demo)]).toEqual(["made", "unchanged"]);

    expect(system.nginx).toEqual(["-t -q", "-s reload"]);
  });

  it("follows its place and the app's options", async () => {
    const { provide, textOf } = await world();
    await provide(demo);

    expect(await provide({ ...demo, place: { ...place, host: "shop.example" } })).toBe("changed");
    expect(textOf(demo)).toContain("server_name shop.example;");
    expect(await provide(demo, { cookie_domain: "any" })).toBe("changed");
  });

  it("listens at a port of its own where it has one", async () => {
    const { provide, textOf } = await world();

    await provide({ ...demo, place: { ...place, port: 8123 } });

    expect(textOf(demo)).toMatch(/listen \S*:8123;/);
  });

  it.each([
    [{}, "$host", "$scheme"],
    [{ port: 8080 }, "$host:$server_port", "$scheme"],
    [{ public_url: "http://localhost:8080" }, "$host:8080", "$scheme"],
    [{ port: 8080, public_url: "http://localhost:80" }, "$host", "$scheme"],
    [
      { public_url: "https://localhost", trusted_proxies: "10.0.0.1" },
      "$host$reeve_port",
      "$reeve_scheme",
    ],
  ])("with %j tells the app the host %s and the scheme %s", async (options, host, scheme) => {
    const { context, provide, textOf } = await world();
    Object.assign(context.config.server, options);

    await provide(demo);
    expect(textOf(demo)).toContain(`proxy_set_header Host ${host};`);
    expect(textOf(demo)).toContain(`proxy_set_header X-Forwarded-Proto ${scheme};`);

    // At a port of its own it is visited there, whatever stands in front.
    await provide({ ...demo, place: { ...place, port: 8123 } });
    expect(textOf(demo)).toContain("proxy_set_header Host $host:$server_port;");
  });

  it("is left alone where somebody changed it by hand", async () => {
    const { provide, layout, textOf } = await world();
    await provide(demo);
    const file = join(layout.sitesAvailable, "demo.conf");
    const edited = textOf(demo).replace("server_name", "# by hand\n  server_name");
    writeFileSync(file, edited);

    expect(await provide({ ...demo, place: { ...place, host: "shop.example" } })).toBe("edited");

    expect(textOf(demo)).toBe(edited);
  });

  it("asks for a preview's password as long as the options have one", async () => {
    const { context, provide, textOf } = await world();
    await provideFolders(context, shop.name);
    const { passwords } = pathsOf(context, shop.name);

    await provide(shop, { preview_password: "open-sesame" });
    expect(textOf(shop)).toContain(`auth_basic_user_file ${passwords};`);
    expect(readFileSync(passwords, "utf8")).not.toContain("open-sesame");

    await provide(shop);
    expect(textOf(shop)).not.toContain("auth_basic_user_file");
    expect(existsSync(passwords)).toBe(false);
  });
});
