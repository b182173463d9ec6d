import { readFileSync } from "node:fs";
import { join } from "node:path";
import { beforeAll, describe, expect, it } from "vitest";
import { plainApp } from "../support/apps.ts";
import { eventually } from "../support/server.ts";
import { limit, limitOf, openFilesOf } from "../support/shortage.ts";
import { withServer, withWorkspace } from "../support/with-server.ts";
import { carried, hold, prepareToHold, release } from "./held.ts";

describe("a front that the system gives no more", () => {
  const server = withServer();
  const demo = withWorkspace(server, "demo", plainApp("one"));
  let front: number;
  let agent: number;

  beforeAll(async () => {
    prepareToHold(server);
    await demo.push();
    await server.settled("demo");
    front = server.servicePid("front");
    agent = server.servicePid("agent");
  });

  const begin = (): Promise<string> =>
    server.receivePack("demo", "0000").then(({ status, body }) => `${status} ${body}`);

  it.each<[string, "nofile" | "nproc", () => number, RegExp]>([
    ["processes", "nproc", () => 1, /^503 error\[RESOURCES_EXHAUSTED]/],
    // It cannot even take the connection.
    ["open files, at its last", "nofile", () => openFilesOf(front), /^50[23] /],
    [
      "open files, with a few left",
      "nofile",
      () => openFilesOf(front) + 6,
      /^503 error\[RESOURCES_EXHAUSTED]/,
    ],
  ])("of %s refuses the push and runs on", async (_, what, few, told) => {
    const before = limitOf(front, what);
    limit(front, what, few());
    const answer = await begin();
    const { exitCode, output } = await demo
      .deploy(plainApp(`not ${what}`), "Two")
      .finally(() => limit(front, what, before));

    expect(answer).toMatch(told);
    expect(exitCode, output).not.toBe(0);
    expect(server.servicePid("front")).toBe(front);
    expect((await server.get("demo")).body).not.toContain("not");
    const next = await demo.deploy(plainApp("next"), "Next");
    expect(next.exitCode, next.output).toBe(0);
    expect((await server.get("demo")).body).toBe("next");
  });

  // Each file that it may open lets it come one step further, to another process that it cannot start.
  it.each([0, 3, 6, 9, 12])(
    "has an agent beside it that with %i files left refuses the push and runs on",
    async (few) => {
      const before = limitOf(agent, "nofile");
      limit(agent, "nofile", openFilesOf(agent) + few);
      const { exitCode, output } = await demo
        .deploy(plainApp(`few ${few}`), "Few")
        .finally(() => limit(agent, "nofile", before));

      expect(server.servicePid("agent")).toBe(agent);
      const served = (await server.get("demo")).body === `few ${few}`;
      expect(exitCode === 0, output).toBe(served);
      expect(output).not.toContain("mistake in reeve");
    },
  );

  it("looks in vain for pushes that are gone, as the agent does, and both run on", async () => {
    const both = [front, agent].map((pid) => ({ pid, before: limitOf(pid, "nofile") }));
    const said = (name: string): string =>
      readFileSync(join(server.home, "log", `${name}.log`), "utf8");
    demo.write(plainApp("held"));
    await demo.commit("Held");
    hold(server, carried.refMoves);
    const push = demo.push();
    // Its process is looked for twice a second while it is under way, by both, which have nothing else to do.
    await eventually(() => carried.refMoves.isReached(server), 20_000);
    for (const { pid } of both) limit(pid, "nofile", 0);
    await eventually(() => said("agent").includes("could not look for pushes that are gone"));
    await eventually(() => said("front").includes("could not look for gits that are gone"));
    for (const { pid, before } of both) limit(pid, "nofile", before);
    release(server);
    await push;

    const next = await demo.deploy(plainApp("looked"), "Looked");

    expect(next.exitCode, next.output).toBe(0);
    expect(server.servicePid("front")).toBe(front);
    expect(server.servicePid("agent")).toBe(agent);
  });
});
