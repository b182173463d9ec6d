import { existsSync, rmSync, writeFileSync } from "node:fs";
import { beforeAll, describe, expect, it } from "vitest";
import { evaluatingApp } from "../support/apps.ts";
import { holdAt } from "../support/held.ts";
import { eventually } from "../support/server.ts";
import { withApp, withServer } from "../support/with-server.ts";

/** Its vassal for good waits in its import while the file `held` is there, and says in the file `comes` that it does. */
const held = (word: string): Record<string, string> => {
  const app = evaluatingApp(`"${word} " + os.environ["REEVE_COMMIT"]`)["app.py"] ?? "";
  const wait = `import os, time, uwsgi
data = os.environ["REEVE_DATA"]
if b".next-" not in uwsgi.opt["http-socket"]:
    open(data + "/comes", "w").close()
    while os.path.exists(data + "/held"):
        time.sleep(0.02)
`;
  return { "app.py": wait + app };
};

describe("an ini that somebody removes while its vassal comes up", () => {
  const server = withServer();
  const demo = withApp(server, "demo", held("one"));

  const ini = (): string => server.path("etc/vassals/demo.ini");
  const emperor = (): number => Number(server.read("run/emperor.pid"));
  const served = async (): Promise<string> => (await server.get("demo")).body;
  const file = (name: string): string => server.path("srv/demo/data", name);
  const told = (): number =>
    server.read("log/emperor.log").split("stop the uwsgi instance demo.ini").length;

  /** The vassal waits in its import, where it hears nothing, and the Emperor tells it to stop. */
  async function toldInVain(coming: Promise<unknown>): Promise<void> {
    rmSync(file("comes"), { force: true });
    await Promise.race([eventually(() => existsSync(file("comes")), 60_000), coming]);
    const before = told();
    rmSync(ini());
    process.kill(emperor(), "SIGWINCH");
    await eventually(() => told() > before);
    rmSync(file("held"));
  }

  /**
   * The Emperor looks into its folder again only when the ini has come and gone: the agent waits before it reads what
   * the new ini is made from, and once more when that is there.
   */
  async function neverSeen(work: () => Promise<void>): Promise<void> {
    let isRemoved = false;
    const letGo = await holdAt(server.servicePid("agent"), [`${ini()}.held`], () => {
      if (isRemoved) return Promise.resolve();
      if (!existsSync(ini())) process.kill(emperor(), "SIGSTOP");
      else {
        rmSync(ini());
        process.kill(emperor(), "SIGCONT");
        isRemoved = true;
      }
      return Promise.resolve();
    });
    try {
      await work();
      expect(isRemoved).toBe(true);
    } finally {
      process.kill(emperor(), "SIGCONT");
      await letGo();
    }
  }

  /** It stays on the air: what was told to stop would end only some time later. */
  async function expectServed(body: string): Promise<void> {
    expect(await served()).toBe(body);
    expect(existsSync(ini())).toBe(true);
    await server.settled("demo");
    const { output } = await server.reeve("reconcile");
    expect(output).toBe("everything is as it should be");
    expect(await served()).toBe(body);
  }

  /** And that it did not fail before, which costs a health deadline or half a minute. */
  async function expectSettled(): Promise<void> {
    await server.settled("demo");
    expect(server.read("log/agent.log")).not.toContain("the permanent vassal did not come up");
  }

  beforeAll(() => server.settled("demo"));

  it("is written anew while it settles, though the vassal was told to stop and could not hear that", async () => {
    writeFileSync(file("held"), "");
    const { exitCode, output, commit } = await demo.deploy(held("two"), "Two");
    expect(exitCode, output).toBe(0);

    await toldInVain(new Promise(() => undefined));

    await expectSettled();
    await expectServed(`two ${commit}`);
  });

  it("is written anew while it settles, though the Emperor has never seen it", async () => {
    let commit = "";
    await neverSeen(async () => {
      ({ commit } = await demo.deploy(held("three"), "Three"));
      await expectSettled();
    });

    await expectServed(`three ${commit}`);
  });

  describe("of an app that cannot run beside itself", () => {
    beforeAll(() => server.reeve("options", "demo", "set", "overlap=false"));

    it("is written anew in the push, though the vassal was told to stop and could not hear that", async () => {
      writeFileSync(file("held"), "");
      const deploying = demo.deploy(held("four"), "Four");

      await toldInVain(deploying);

      const { exitCode, output, commit } = await deploying;
      expect(exitCode, output).toBe(0);
      await expectServed(`four ${commit}`);
    });

    it("is written anew in the push, though the Emperor has never seen it", async () => {
      let body = "";
      await neverSeen(async () => {
        const { exitCode, output, commit } = await demo.deploy(held("five"), "Five");
        expect(exitCode, output).toBe(0);
        body = `five ${commit}`;
      });

      await expectServed(body);
    });
  });
});
