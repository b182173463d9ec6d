import {
  existsSync,
  readdirSync,
  readFileSync,
  renameSync,
  statSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { beforeAll, describe, expect, it } from "vitest";
import { changed, isUntouched } from "../../src/system/signature.ts";
import { evaluatingApp } from "../support/apps.ts";
import { eventually } from "../support/server.ts";
import { Visitors } from "../support/visitors.ts";
import { withApp, withServer } from "../support/with-server.ts";

describe("variables on a server that called them settings", () => {
  const server = withServer([], { visited: true });
  const demo = withApp(server, "demo", evaluatingApp("os.environ.get('GREETING')"));

  const page = async (instance: string): Promise<string> => (await server.get(instance)).body;
  const inis = (): string[] =>
    readdirSync(server.path("etc/vassals")).map((name) => server.path("etc/vassals", name));

  /** Names on disk what it did then; the Emperor sees no change. */
  function makeFormer(): void {
    for (const own of ["demo", "cart--demo"].map((name) => server.path("etc/apps", name)))
      for (const name of ["variables", "preview-variables"].filter((one) =>
        existsSync(join(own, one)),
      ))
        renameSync(join(own, name), join(own, name.replace("variables", "settings")));
    for (const ini of inis()) {
      const { mtimeMs } = statSync(ini);
      const former = changed(readFileSync(ini, "utf8"), (text) =>
        text
          .replace("; The variables and", "; The settings and")
          .replace("/variables", "/settings"),
      );
      writeFileSync(ini, former);
      utimesSync(ini, Math.floor(mtimeMs / 1000), Math.floor(mtimeMs / 1000));
    }
  }

  async function expectRenamed(): Promise<void> {
    expect(readdirSync(server.path("etc/apps/demo")).sort()).toEqual(
      ["preview-variables", "variables"].sort(),
    );
    expect(inis().filter((ini) => readFileSync(ini, "utf8").includes("settings"))).toEqual([]);
    expect(isUntouched(server.read("etc/vassals/demo.ini"))).toBe(true);
    for (const name of ["vars", "settings"]) {
      expect((await server.reeve(name, "demo")).output).toBe("GREETING=hello");
      expect((await server.reeve(name, "demo", "--preview")).output).toBe("GREETING=preview");
    }
    expect((await server.reeve("reconcile")).output).toBe("everything is as it should be");
  }

  beforeAll(async () => {
    await server.reeve("vars", "demo", "set", "GREETING=hello");
    await server.reeve("vars", "demo", "--preview", "set", "GREETING=preview");
    await demo.git("branch", "cart");
    expect((await demo.push("cart")).exitCode).toBe(0);
    await server.settled("demo");
    await server.asleepAfterPush("cart--demo");
  });

  it("are found by a new agent while the apps go on, which start again with them", async () => {
    const before = server.processesOf("demo");
    const visitors = new Visitors(server, "demo");
    visitors.come(20, "hello");
    const agent = server.servicePid("agent");
    makeFormer();

    process.kill(agent, "SIGKILL");

    await eventually(() => server.isUp(), 20_000);
    await expectRenamed();
    expect(server.processesOf("demo")).toEqual(before);
    expect(await page("cart--demo")).toBe("preview");
    expect(await visitors.leave()).toEqual({ failed: [], stale: [] });

    const later = Date.now() / 1000 + 2;
    utimesSync(server.path("etc/vassals/demo.ini"), later, later);
    await eventually(() => server.processesOf("demo").some((pid) => !before.includes(pid)));
    await eventually(async () => (await page("demo")) === "hello");
    await server.settled("demo");
  });

  it("are found by the next start, and reach every app", async () => {
    await server.interrupt();
    makeFormer();

    await server.up();

    await eventually(async () => (await page("demo")) === "hello");
    expect(await page("cart--demo")).toBe("preview");
    await expectRenamed();
  });
});
