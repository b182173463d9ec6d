import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { askHeld, holdingApp, plainApp } from "../support/apps.ts";
import { Visitors } from "../support/visitors.ts";
import { withApp, withServer } from "../support/with-server.ts";

describe("while visitors keep coming", () => {
  const server = withServer([], { visited: true });
  const demo = withApp(server, "demo", plainApp("0"));
  const visitors = new Visitors(server, "demo");
  beforeAll(() => server.settled("demo"));
  afterAll(() => visitors.leave());

  it("a first deploy settles as unseen as every other", async () => {
    const fresh = await server.workspace("fresh", plainApp("0", { importFor: 1 }));
    await fresh.push();
    const first = new Visitors(server, "fresh");
    first.come(100, "0");

    const push = await fresh.deploy(plainApp("1"), "One");
    expect(push.exitCode, push.output).toBe(0);
    first.expectFromNowOn("1");

    await server.settled("fresh");
    expect(await first.leave()).toEqual({ failed: [], stale: [] });
  });

  it("two deploys, one right after the other, both take effect, and none of them fails a request", async () => {
    const commits = await Promise.all(
      ["1", "2"].map((text) => demo.commitBeside(plainApp(text), text)),
    );
    visitors.come(50, "0");

    for (const [index, text] of ["1", "2"].entries()) {
      const push = await demo.push(`+${commits[index]!}:main`);
      expect(push.exitCode, push.output).toBe(0);
      visitors.expectFromNowOn(text);
    }

    await server.settled("demo");
    expect(await visitors.leave()).toEqual({ failed: [], stale: [] });
  });

  it("a deploy that comes while the former settles takes effect, at any moment of the settling", async () => {
    visitors.come(50, "2");

    for (const [index, pause] of [0, 500, 1000, 1300, 1600, 2200].entries()) {
      await new Promise((resolve) => setTimeout(resolve, pause));
      const text = `settling-${index}`;
      const push = await demo.deploy(plainApp(text, { importFor: index % 2 === 0 ? 0 : 1 }), text);
      expect(push.exitCode, push.output).toBe(0);
      visitors.expectFromNowOn(text);
    }

    await server.settled("demo");
    expect(await visitors.leave()).toEqual({ failed: [], stale: [] });
  });

  it("a request that runs is answered by the release that took it", async () => {
    await demo.deploy(holdingApp("slow"), "Slow");
    await server.settled("demo");
    const slow = await askHeld(server, "demo");

    await demo.deploy(plainApp("quick"), "Quick");

    expect((await server.get("demo")).body).toBe("quick");
    slow.letGo();
    expect(await slow.answer).toMatchObject({ status: 200, body: "slow" });
    await server.settled("demo");
  });
});
