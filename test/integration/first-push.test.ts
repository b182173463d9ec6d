import { readdirSync, readFileSync, readlinkSync, statSync } from "node:fs";
import { join } from "node:path";
import { beforeAll, describe, expect, it } from "vitest";
import { projectRoot, type TestServer } from "../support/server.ts";
import { withServer, withWorkspace } from "../support/with-server.ts";

describe("the article's Bottle app", () => {
  const server = withServer();
  const bottle = withWorkspace(server, "demo", {});

  beforeAll(async () => {
    bottle.copy(join(projectRoot, "examples/bottle"));
    await bottle.commit("Say hello");
  });

  it("is on the air when its first push returns", async () => {
    const push = await bottle.push("main");

    expect(push.exitCode, push.output).toBe(0);
    expect(push.output).toMatch(/reeve: demo [0-9a-f]{7} "Say hello" by admin/);
    expect(push.output).toContain(`live         http://demo.localhost:${server.port}/`);
    expect((await server.get("demo")).body).toBe("Hello world\n");
  });

  it("stands on disk as the article has it", async () => {
    await server.settled("demo");
    const folder = server.path("srv/demo");

    const visible = readdirSync(folder).filter((name) => !name.startsWith("."));
    expect(visible.sort()).toEqual(["app", "data", "env", "envs", "releases", "requirements.txt"]);
    expect(readlinkSync(join(folder, "app"))).toBe(`releases/${await bottle.head()}`);
    expect(readdirSync(join(folder, "app"))).toContain("app.py");
    expect(readdirSync(join(folder, "env"))).toEqual(
      expect.arrayContaining(["bin", "lib", "pyvenv.cfg"]),
    );
    expect(server.read("srv/demo/requirements.txt")).toBe(bottle.read("requirements.txt"));
  });

  it("has an ini that reads like the article's", () => {
    const ini = server.read("etc/vassals/demo.ini").split("\n");
    const environment = server.path("srv/demo", readlinkSync(server.path("srv/demo/env")));

    const begin = ini.indexOf("[uwsgi]");
    expect(ini.slice(begin, begin + 8)).toEqual([
      "[uwsgi]",
      "plugins = python3",
      `http-socket = ${server.path("run/sockets/%n.sock")}`,
      "master = true",
      "workers = 2",
      `chdir = ${server.path("srv/%n/app")}`,
      `virtualenv = ${environment}`,
      "module = app:app",
    ]);
  });

  it("has a server block that reads like the article's", () => {
    const site = server.read("etc/nginx/sites-enabled/demo.conf");

    expect(readlinkSync(server.path("etc/nginx/sites-enabled/demo.conf"))).toBe(
      "../sites-available/demo.conf",
    );
    expect(site).toContain(`listen 127.0.0.1:${server.port};`);
    expect(site).toContain("server_name demo.localhost;");
    expect(site).toContain(`proxy_pass http://unix:${server.path("lib/links/demo/socket")};`);
  });

  it("leaves one vassal and one socket when it has settled", () => {
    expect(readdirSync(server.path("etc/vassals"))).toEqual(["demo.ini"]);
    expect(readdirSync(server.path("run/sockets"))).toEqual(["demo.sock"]);
    expect(readlinkSync(server.path("lib/links/demo/socket"))).toBe(
      server.path("run/sockets/demo.sock"),
    );
    expect(statSync(server.path("run/sockets/demo.sock")).isSocket()).toBe(true);
  });

  it("can be cloned again", async () => {
    const { output } = await bottle.git(
      "clone",
      "--quiet",
      server.remote("demo"),
      // Beside the tree, or the next push would hold it.
      join(bottle.folder, ".git/again"),
    );

    expect(output).toBe("");
    expect(bottle.read(".git/again/app.py")).toBe(bottle.read("app.py"));
  });

  it("is deployed anew without an installer, without nginx, by a change of its code", async () => {
    const vhost = statSync(server.path("etc/nginx/sites-available/demo.conf")).mtimeMs;
    const environments = readdirSync(server.path("srv/demo/envs"));
    const workers = nginxWorkers(server);

    const push = await bottle.deploy(
      { "app.py": bottle.read("app.py").replace("Hello world", "Bonjour") },
      "Say hello in French",
    );

    expect(push.exitCode, push.output).toBe(0);
    expect(push.output).toMatch(/environment {2}unchanged/);
    expect(push.output).not.toContain("vhost");
    expect((await server.get("demo")).body).toBe("Bonjour\n");
    expect(readdirSync(server.path("srv/demo/envs"))).toEqual(environments);
    expect(statSync(server.path("etc/nginx/sites-available/demo.conf")).mtimeMs).toBe(vhost);
    expect(nginxWorkers(server)).toEqual(workers);
  });

  it("leaves hosts that nobody has to nobody", async () => {
    const answer = await server.get("nobody");

    expect(answer.status).toBe(404);
    expect(answer.body).toBe("There is no app at this address.\n");
  });
});

function nginxWorkers(server: TestServer): string {
  const master = server.read("run/nginx.pid").trim();
  return readFileSync(`/proc/${master}/task/${master}/children`, "utf8");
}
