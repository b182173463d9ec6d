import { readFileSync, writeFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import type { Instance } from "../../../../src/names/instance.ts";
import { permanentVassal, understudyOf, vassalOf } from "../../../../src/names/vassal.ts";
import { healthCheck, iniOf, planIni } from "../../../../src/agent/instance/inis.ts";
import { optionsOf } from "../../../../src/agent/world/context.ts";
import type { Deploy } from "../../../../src/agent/store/deploys.ts";
import { agentWorld } from "../../../support/unit-agent.ts";
import { nobody } from "../../../support/unit-identity.ts";

const place = { scheme: "http" as const, host: "demo.localhost", path: "/", port: 0 };
const demo: Instance = { name: "demo", app: "demo", branch: "main", place };
const shop: Instance = { ...demo, name: "shop--demo", branch: "shop" };
const commit = "a".repeat(40);

async function world({ isRoot = false } = {}) {
  const { context, layout } = agentWorld();
  Object.assign(context, { listen: 100 });
  const options = await optionsOf(context, "demo");
  if (isRoot) {
    Object.assign(context, { system: { isRoot } });
    for (const ofPreviews of [false, true])
      context.store.users.keepAppUser(
        {
          ...nobody,
          name: `reeve-demo${ofPreviews ? "-preview" : ""}`,
          uid: 30_000 + Number(ofPreviews),
        },
        "demo",
        ofPreviews,
      );
  }
  const deploy = {
    ...{ number: 7, newCommit: commit, environment: "e".repeat(16), root: "" },
    processes: [{ type: "web", kind: "wsgi", module: "app:app" }],
  } as Deploy;
  const plan = async (instance = demo, changed: Partial<typeof options> = {}, of = deploy) =>
    planIni(context, { instance, deploy: of, options: { ...options, ...changed } });
  return { context, layout, options, deploy, plan };
}

describe("the permanent vassal's ini", () => {
  it("is made from the deploy and the options where there is none yet", async () => {
    const { plan } = await world();

    const { text, current, edited } = await plan(demo, { web_processes: 3 });

    expect({ current, edited }).toEqual({ current: undefined, edited: false });
    expect(text).toContain("module = app:app\n");
    expect(text).toMatch(/^(workers|processes) = 3$/m);
    expect(text).not.toMatch(/^uid = /m);
  });

  it("runs as the app's user, and a preview as another one, where there is root", async () => {
    const { plan } = await world({ isRoot: true });

    expect((await plan()).text).toMatch(/^uid = reeve-demo$/m);
    expect((await plan(shop)).text).toMatch(/^uid = reeve-demo-preview$/m);
  });

  it("leaves the limits to the control group where it has one", async () => {
    const { context, plan } = await world();
    const alone = (await plan()).text;
    const means = { memory: true, processes: true, kill: true };
    Object.assign(context, { groups: { means } });

    const grouped = (await plan()).text;

    expect(alone).toContain("limit-as");
    expect(grouped).not.toMatch(/^limit-as/m);
  });

  it("that somebody changed stays, but for the environment and the user", async () => {
    const { layout, plan, deploy } = await world({ isRoot: true });
    const { ini } = permanentVassal(layout, "demo");
    const by = (await plan()).text.replace("module = app:app", "module = mine:app");
    writeFileSync(ini, by);

    const { text, current, edited } = await plan(
      demo,
      { web_processes: 9 },
      {
        ...deploy,
        environment: "f".repeat(16),
      },
    );

    expect({ current, edited }).toEqual({ current: by, edited: true });
    expect(text).toBe(by.replaceAll("e".repeat(16), "f".repeat(16)));
    expect(readFileSync(ini, "utf8")).toBe(by);
  });

  it("names a preview's branch in its answers, and its slug where the branch is not for an ini", async () => {
    const { plan } = await world();

    expect((await plan(shop)).text).toContain(`shop ${commit}`);
    expect((await plan({ ...shop, branch: "sh$(op)" })).text).toContain(`shop ${commit}`);
    expect((await plan(demo)).text).not.toContain(` ${commit}`);
  });

  it("mounts a preview where it shares its host", async () => {
    const { plan } = await world();

    const { text } = await plan({ ...shop, place: { ...place, path: "/shop/" } });

    expect(text).toContain("/shop=");
  });
});

describe("the ini of a deploy's vassal", () => {
  it("is the permanent one's for the permanent one, and has its own socket for others", async () => {
    const { context, layout, options, deploy, plan } = await world();
    const { text } = await plan(shop);
    const forThem = { deploy, options, text };
    const understudy = understudyOf(layout, shop.name, 7);
    const onDemand = vassalOf(layout, { instance: shop.name, role: "on demand", deploy: 7 });

    expect(iniOf(context, permanentVassal(layout, shop.name), forThem)).toBe(text);
    expect(iniOf(context, understudy, forThem)).toContain(`http-socket = ${understudy.socket}`);
    const asleep = iniOf(context, onDemand, forThem);
    expect(asleep).toContain("http-socket = fd://0\nidle = 600\ndie-on-idle = true\n");
    expect(asleep).toContain("shop--demo, deploy 7");
  });
});

describe("what an instance is asked before it goes on the air", () => {
  it("is what nginx would say at its place", async () => {
    const { context, options } = await world();

    const check = healthCheck(
      context,
      { ...demo, place: { ...place, path: "/shop/" } },
      {
        ...options,
        health_path: "/up",
        health_deadline: 5,
      },
    );

    expect(check).toMatchObject({
      request: { path: "/shop/up", headers: { Host: "demo.localhost" } },
      status: 0,
      deadline: 5000,
    });
  });

  it("looks like a visitor's request, also where visitors come to somebody's TLS", async () => {
    const { context, options } = await world();
    const headersAt = (port: number) =>
      healthCheck(context, { ...demo, place: { ...place, port } }, options).request.headers;
    const from = { "X-Real-IP": "127.0.0.1", "X-Forwarded-For": "127.0.0.1" };

    expect(headersAt(0)).toMatchObject({ ...from, "X-Forwarded-Proto": "http" });
    Object.assign(context.config.server, { public_url: "https://localhost:8443" });

    const https = { Host: "demo.localhost:8443", "X-Forwarded-Proto": "https" };
    expect(headersAt(0)).toMatchObject({ ...from, ...https });
    const own = { Host: "demo.localhost:9001", "X-Forwarded-Proto": "http" };
    expect(headersAt(9001)).toMatchObject({ ...from, ...own });
  });
});
