import { readdirSync } from "node:fs";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { plainApp } from "../support/apps.ts";
import { eventually, TestServer } from "../support/server.ts";
import type { Workspace } from "../support/workspace.ts";

describe("an agent that is killed", () => {
  let server: TestServer;
  let demo: Workspace;

  const traces = (): string[] =>
    [
      "srv",
      "etc/apps",
      "etc/vassals",
      "etc/nginx/sites-available",
      "etc/nginx/sites-enabled",
      "lib/sockets",
      "run/sockets",
      "log/apps",
    ].flatMap((folder) =>
      readdirSync(server.path(folder)).filter((name) => name.includes("--demo")),
    );

  const isBack = async (): Promise<boolean> => (await server.reeve("apps")).exitCode === 0;

  /** The branch is there and answers with its commit's text, or it is not there and nothing else is. */
  const expectOneMind = async (text: string): Promise<string> => {
    const there = (await demo.remoteCommit("refs/heads/shop")) !== "";
    await eventually(async () => {
      const answer = await server.get("shop--demo");
      return there
        ? answer.status === 200 && answer.body === text
        : answer.status === 404 && traces().length === 0;
    }, 60_000);
    return there ? "on the air" : "gone";
  };

  beforeAll(async () => {
    server = await TestServer.start();
    demo = await server.workspace("demo", plainApp("demo"));
    await demo.push();
  });
  afterAll(() => server.remove());

  it.each(["release", "environment", "understudy", "vhost"])(
    "while a preview is made, after the step %s, leaves the branch and what is on the air of one mind",
    async (step) => {
      demo.write(plainApp(step, { importFor: 0.2 }));
      await demo.commit(step);
      const push = demo.start("push", "deploy", "HEAD:shop");
      let killed = false;
      push.all.on("data", (chunk: Buffer) => {
        if (killed || !new RegExp(`remote: +${step}`).test(chunk.toString())) return;
        killed = true;
        process.kill(server.servicePid("agent"), "SIGKILL");
      });
      // git's client waits for ever where git-receive-pack ends without its report, as it does when the hook
      // reference-transaction says no (git 2.39): like a person, it gives up after a while.
      await Promise.race([push, new Promise((resolve) => setTimeout(resolve, 15_000))]);
      push.kill();
      await eventually(isBack, 30_000);

      await expectOneMind(step);

      const next = await demo.push("HEAD:shop");
      expect(next.exitCode, next.output).toBe(0);
      expect(await expectOneMind(step)).toBe("on the air");
      const gone = await demo.push(":shop");
      expect(gone.exitCode, gone.output).toBe(0);
      expect(await expectOneMind(step)).toBe("gone");
    },
  );

  it.each([40, 80, 120, 180, 250, 400, 700])(
    "%i ms after the push of a branch's end began, does too",
    async (wait) => {
      const pushed = await demo.push("HEAD:shop");
      expect(pushed.exitCode, pushed.output).toBe(0);
      await server.asleepAfterPush("shop--demo");
      const push = demo.start("push", "deploy", ":shop");
      await new Promise((resolve) => setTimeout(resolve, wait));
      process.kill(server.servicePid("agent"), "SIGKILL");
      await push;
      await eventually(isBack, 30_000);

      const where = await expectOneMind("vhost");

      if (where === "on the air") {
        const gone = await demo.push(":shop");
        expect(gone.exitCode, gone.output).toBe(0);
      }
      expect(await expectOneMind("vhost")).toBe("gone");
      const records = await server.json<{ state: string }[]>("deploys", "demo");
      expect(records[0]?.state).toBe("removed");
    },
  );
});
