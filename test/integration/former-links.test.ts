import {
  appendFileSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { request, type ClientRequest } from "node:http";
import { beforeAll, describe, expect, it } from "vitest";
import { reloadNginx } from "../../src/agent/vhost/nginx.ts";
import { embeddedLayout } from "../../src/config/layout.ts";
import { changed, isUntouched } from "../../src/system/signature.ts";
import { LocalSystem } from "../../src/system/system.ts";
import { Turns } from "../../src/system/turns.ts";
import { plainApp } from "../support/apps.ts";
import { eventually } from "../support/server.ts";
import { Visitors } from "../support/visitors.ts";
import { withApp, withServer } from "../support/with-server.ts";

describe("a server whose nginx opened links to the sockets themselves", () => {
  const server = withServer([], { visited: true });
  const demo = withApp(server, "demo", plainApp("one"));
  const edited = withApp(server, "edited", plainApp("one"));
  const instances = ["demo", "edited", "cart--demo"];

  const former = (name: string): string => server.path("lib/sockets", `${name}.sock`);
  const present = (name: string): string => server.path("lib/links", name, "socket");
  const block = (name: string): string => server.path("etc/nginx/sites-available", `${name}.conf`);

  /** What such a server had on disk. */
  function makeFormer(): void {
    mkdirSync(server.path("lib/sockets"), { recursive: true });
    for (const name of instances) {
      const text = readFileSync(block(name), "utf8");
      if (!existsSync(former(name))) symlinkSync(readlinkSync(present(name)), former(name));
      writeFileSync(
        block(name),
        changed(text, (own) => own.replaceAll(present(name), former(name))),
      );
    }
  }

  async function haveNginxRead(): Promise<void> {
    const layout = embeddedLayout(server.home);
    await reloadNginx(new LocalSystem(), {
      ...{ configuration: layout.nginxConfiguration, prefix: layout.nginx },
      ...{ pidFile: layout.nginxPid, turns: new Turns() },
      sites: {
        available: layout.sitesAvailable,
        enabled: layout.sitesEnabled,
        sharedHosts: layout.sharedHosts,
      },
    });
  }

  /** A request that nginx has yet to hand on: its last bytes are not there. */
  function upload(): { end: () => Promise<number | undefined> } {
    const { port } = server;
    const headers = { host: `demo.localhost:${port}`, "content-length": 10 };
    const options = { host: "127.0.0.1", port, method: "POST", path: "/", headers, agent: false };
    const sent: ClientRequest = request(options);
    const status = new Promise<number | undefined>((resolve, reject) => {
      sent.on("response", (response) => resolve(response.resume().statusCode));
      sent.on("error", reject);
    });
    sent.write("12345");
    return { end: () => (sent.end("67890"), status) };
  }

  const formerLinks = (): string[] => readdirSync(server.path("lib/sockets")).sort();
  const page = async (instance: string): Promise<string> => (await server.get(instance)).body;

  beforeAll(async () => {
    await demo.git("branch", "cart");
    expect((await demo.push("cart")).exitCode).toBe(0);
    await server.settled("demo");
    await server.settled("edited");
    await server.asleepAfterPush("cart--demo");
    appendFileSync(block("edited"), "# mine\n");
  });

  it("is taken over by a new agent, and no visitor notices, nor of the deploys after it", async () => {
    makeFormer();
    await haveNginxRead();
    rmSync(server.path("lib/links"), { recursive: true });
    const slow = upload();
    const visitors = ["demo", "edited"].map((app) => new Visitors(server, app));
    for (const one of visitors) one.come(50, "one");

    process.kill(server.servicePid("agent"), "SIGKILL");

    await eventually(async () => (await server.reeve("apps")).exitCode === 0, 20_000);
    expect(formerLinks()).toEqual(instances.map((name) => `${name}.sock`).sort());
    expect(await slow.end()).toBe(200);
    for (const name of ["demo", "cart--demo"]) {
      const text = readFileSync(block(name), "utf8");
      expect(text).toContain(present(name));
      expect(isUntouched(text)).toBe(true);
    }
    expect(readFileSync(block("edited"), "utf8")).toContain(former("edited"));
    expect((await server.reeve("reconcile")).output).toBe("everything is as it should be");

    for (const [index, workspace] of [demo, edited].entries()) {
      const { exitCode, output } = await workspace.deploy(plainApp("two"), "Two");
      expect(exitCode, output).toBe(0);
      visitors[index]?.expectFromNowOn("two");
    }
    await server.settled("demo");
    await server.settled("edited");
    for (const one of visitors) expect(await one.leave()).toEqual({ failed: [], stale: [] });
  });

  it("has the former path of a hand-edited block alone after the next start", async () => {
    await server.interrupt();

    await server.up();

    expect(formerLinks()).toEqual(["edited.sock"]);
    await eventually(async () => (await page("demo")) === "two");
    await eventually(async () => (await page("edited")) === "two");
    expect(await page("cart--demo")).toBe("one");
  });

  it("is taken over by a start of everything as well, and has nothing left of it", async () => {
    await server.interrupt();
    makeFormer();
    rmSync(server.path("lib/links"), { recursive: true });
    rmSync(block("edited"));
    rmSync(server.path("etc/nginx/sites-enabled/edited.conf"));

    await server.up();

    expect(existsSync(server.path("lib/sockets"))).toBe(false);
    await eventually(async () => (await page("demo")) === "two");
    expect(await page("cart--demo")).toBe("one");
    await eventually(async () => (await page("edited")) === "two");
  });
});
