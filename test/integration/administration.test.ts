import { existsSync, readFileSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { beforeAll, describe, expect, it } from "vitest";
import { evaluatingApp, plainApp } from "../support/apps.ts";
import { eventually } from "../support/server.ts";
import { withApp, withServer, withWorkspace } from "../support/with-server.ts";

const server = withServer();

beforeAll(() => server.command("create", { app: "demo" }));

describe("variables", () => {
  const demo = withWorkspace(server, "demo", evaluatingApp("repr(os.environ.get('GREETING'))"));

  const page = async (): Promise<string> => (await server.get("demo")).body;

  it("can be given before the first push", async () => {
    const { output } = await server.reeve("vars", "demo", "set", "GREETING=hello");
    expect(output).toContain("kept for its first deploy");

    await demo.push();

    expect(await page()).toBe("'hello'");
  });

  it.each([["good morning"], ["$(id) @(exec://id) %n"], ["one\ntwo"], ["a=b=c"], ["ünï"]])(
    "reach the app to the letter: %j",
    async (value) => {
      const { exitCode, output } = await server.reeve("vars", "demo", "set", `GREETING=${value}`);

      expect(exitCode, output).toBe(0);
      expect(output).toContain("live");
      expect(await page()).toBe(value.includes("\n") ? "'one\\ntwo'" : `'${value}'`);
      await server.settled("demo");
      expect(await page()).toBe(value.includes("\n") ? "'one\\ntwo'" : `'${value}'`);
    },
  );

  it("that are taken away are gone, from the vassal as well as from its understudy", async () => {
    await server.reeve("vars", "demo", "unset", "GREETING");

    expect(await page()).toBe("None");
    await server.settled("demo");
    expect(await page()).toBe("None");
  });

  it("with which the app does not start are refused and not kept", async () => {
    await demo.deploy({
      "app.py": `import os\nif "BREAK" in os.environ: raise SystemExit("broken by a variable")\n${demo.read("app.py")}`,
    });

    const { exitCode, output } = await server.reeve("vars", "demo", "set", "BREAK=1");

    expect(exitCode).toBe(1);
    expect(output).toContain("error[APP_UNHEALTHY]");
    expect(await server.json("vars", "demo")).toEqual({});
    expect(await page()).toBe("None");
  });

  it.concurrent.each([
    ["1A=x"],
    ["A B=x"],
    ["UWSGI_FILE=x"],
    ["LD_PRELOAD=x"],
    ["REEVE_DATA=x"],
    ["nothing"],
  ])("cannot be called %s", async (words) => {
    const { exitCode, output } = await server.reeve("vars", "demo", "set", words);

    expect(exitCode).toBe(2);
    expect(output).toContain("error[VARIABLE_INVALID]");
  });

  it.concurrent.each([
    ["value", `A=${"x".repeat(64 * 1024 + 1)}`, "the value of A holds a zero byte or is longer"],
    ["name", `${"A".repeat(129)}=x`, "cannot be the name of a variable"],
  ])(
    "whose %s is longer than reeve takes are refused, in words that say so",
    async (_, words, said) => {
      const answer = await server.reeve("vars", "demo", "set", words);

      expect(answer).toMatchObject({ exitCode: 2 });
      expect(answer.output).toContain("error[VARIABLE_INVALID]");
      expect(answer.output).toContain(said);
    },
  );
});

describe("a command with a word that it does not take", () => {
  it.concurrent.each<[string[], RegExp]>([
    [["redeploy", "demo", "-b", ""], /redeploy: branch: /],
    [["rollback", "demo", "x".repeat(101)], /rollback: release: /],
    [["logs", "demo", "--deploy", "0"], /deployLog: number: /],
    [["tokens", "revoke", "0"], /revokeToken: id: /],
    [["tokens", "create", "admin", "--days", "0"], /createToken: days: /],
    [["tokens", "create", "admin", "--note", "x".repeat(101)], /createToken: note: /],
    [
      ["options", "demo", "set", `health_path=/${"x".repeat(2000)}`],
      /setOptions: set\.health_path: /,
    ],
    [["keys", "add", "admin", "x".repeat(20_001)], /addKey: key: /],
    [["previews", "demo", "remove", ""], /removePreview: branch: /],
  ])("is told which: %j", async (words, told) => {
    const { exitCode, output } = await server.reeve(...words);

    expect(output).toMatch(/^error\[INPUT_INVALID]: /);
    expect(output).toMatch(told);
    expect(exitCode).toBe(2);
  });
});

describe("the administrator's own hand", () => {
  const server = withServer();
  const demo = withApp(server, "demo", evaluatingApp("os.environ.get('BY_HAND')"));
  beforeAll(() => server.settled("demo"));

  it("options change what the next deploy does", async () => {
    const { output } = await server.reeve("options", "demo", "set", "web_processes=3");
    expect(output).toContain("reeve redeploy demo");

    await server.reeve("redeploy", "demo");
    await server.settled("demo");

    expect(server.read("etc/vassals/demo.ini")).toContain("\nworkers = 3\n");
    expect(server.read("etc/apps/demo.toml")).toMatch(
      /# How many processes answer requests\.\nweb_processes = 3\n/,
    );
  });

  it.concurrent.each([
    ["web_processes=many"],
    ["web_processes=0"],
    ["workers=2"],
    ["nosuch=1"],
    ["host=a b"],
    ["production_branch=-x"],
  ])("an option that makes no sense is refused: %s", async (words) => {
    const before = server.read("etc/apps/demo.toml");

    const { exitCode, output } = await server.reeve("options", "demo", "set", words);

    expect(exitCode).toBe(2);
    expect(output).toContain("error[OPTION_INVALID]");
    expect(server.read("etc/apps/demo.toml")).toBe(before);
  });

  it("a new host is taken with the next deploy, and the old one is nobody's", async () => {
    await server.reeve("options", "demo", "set", "host=shop.localhost");

    const { exitCode, output } = await server.reeve("redeploy", "demo");

    expect(exitCode, output).toBe(0);
    expect(output).toContain("changed for shop.localhost");
    expect((await server.get("shop")).status).toBe(200);
    expect((await server.get("demo")).status).toBe(404);
  });

  it("a place that another app has cannot be taken", async () => {
    const other = await server.workspace("other", plainApp("other"));
    await other.push();

    const set = ["options", "other", "set", "host=shop.localhost"];
    const { exitCode, output } = await server.reeve(...set);

    expect(exitCode).toBe(1);
    expect(output).toContain("error[PLACE_TAKEN]: shop.localhost/ belongs to demo");
    expect((await server.get("other")).body).toBe("other");
  });

  it("lines in vassal.local.ini and vhost.local.conf are used, by the understudy too", async () => {
    await server.write("etc/apps/demo/vassal.local.ini", "[uwsgi]\nenv = BY_HAND=local\n");
    await server.write("etc/apps/demo/vhost.local.conf", "add_header X-By-Hand yes;\n");
    await server.reeve("options", "demo", "set", "host=demo.localhost");

    const { exitCode, output } = await server.reeve("redeploy", "demo");

    expect(exitCode, output).toBe(0);
    const answer = await server.get("demo");
    expect(answer.body).toBe("local");
    expect(answer.headers["x-by-hand"]).toBe("yes");
    await server.settled("demo");
    expect((await server.get("demo")).body).toBe("local");
    rmSync(server.path("etc/apps/demo/vassal.local.ini"));
  });

  it("an ini that was edited is left alone, and the push says so", async () => {
    await server.settled("demo");
    const ini = server.path("etc/vassals/demo.ini");
    writeFileSync(ini, readFileSync(ini, "utf8").replace("[uwsgi]", "[uwsgi]\nenv = BY_HAND=ini"));

    const push = await demo.deploy({ "app.py": `${demo.read("app.py")}# again\n` });

    expect(push.exitCode, push.output).toBe(0);
    expect(push.output).toMatch(/vassal {7}edited by hand/);
    expect((await server.get("demo")).body).toBe("ini");
    await server.settled("demo");
    expect((await server.get("demo")).body).toBe("ini");
    expect(readFileSync(ini, "utf8")).toContain("env = BY_HAND=ini");
  });

  it("a variable that is taken away leaves a vassal with an edited ini too", async () => {
    await demo.deploy({
      "app.py":
        evaluatingApp("str(os.environ.get('BY_HAND')) + str(os.environ.get('GONE'))")["app.py"] ??
        "",
    });
    await server.reeve("vars", "demo", "set", "GONE=not yet");
    await server.settled("demo");
    expect((await server.get("demo")).body).toBe("ininot yet");

    await server.reeve("vars", "demo", "unset", "GONE");

    expect((await server.get("demo")).body).toBe("iniNone");
    await server.settled("demo");
    expect((await server.get("demo")).body).toBe("iniNone");
    await demo.deploy({ "app.py": evaluatingApp("os.environ.get('BY_HAND')")["app.py"] ?? "" });
    await server.settled("demo");
  });

  it("an ini that was edited follows the environment", async () => {
    const push = await demo.deploy({
      "requirements.txt": "bottle==0.13.4\n",
      "app.py": `import bottle\n${demo.read("app.py")}`,
    });

    expect(push.exitCode, push.output).toBe(0);
    await server.settled("demo");
    expect((await server.get("demo")).body).toBe("ini");
  });

  it("an ini that was removed is written anew", async () => {
    rmSync(server.path("etc/vassals/demo.ini"));

    const push = await demo.deploy({ "app.py": `${demo.read("app.py")}# anew\n` });

    expect(push.exitCode, push.output).toBe(0);
    await server.settled("demo");
    expect((await server.get("demo")).body).toBe("None");
  });

  it("a server block that was edited is left alone, and the push says so", async () => {
    const site = server.path("etc/nginx/sites-available/demo.conf");
    const edited = readFileSync(site, "utf8").replace(
      "location /",
      "add_header X-Edited yes;\n\tlocation /",
    );
    writeFileSync(site, edited);

    const push = await demo.deploy({ "app.py": `${demo.read("app.py")}# vhost\n` });

    expect(push.exitCode, push.output).toBe(0);
    expect(push.output).toMatch(/vhost {8}edited by hand/);
    expect(readFileSync(site, "utf8")).toBe(edited);
  });

  it("a foreign file that nginx refuses is named, and the app stays where it was", async () => {
    const foreign = server.path("etc/nginx/sites-enabled/zz-foreign.conf");
    writeFileSync(foreign, "server { listen nonsense; }\n");
    const fresh = await server.workspace("fresh", plainApp("fresh"));

    const push = await fresh.push();

    expect(push.exitCode).toBe(1);
    expect(push.output).toContain("error[VHOST_REJECTED]");
    expect(push.output).toContain("zz-foreign.conf:1");
    expect(existsSync(server.path("etc/nginx/sites-available/fresh.conf"))).toBe(false);
    rmSync(foreign);
    const next = await fresh.push();
    expect(next.exitCode, next.output).toBe(0);
  });
});

describe("an app's log", () => {
  const talking = withWorkspace(server, "talking", {
    "app.py": `print("booted", flush=True)\n${plainApp("good")["app.py"] ?? ""}`,
  });

  it("is empty before the first deploy, and says so", async () => {
    await server.reeve("create", "talking");

    const { exitCode, output } = await server.reeve("logs", "talking");

    expect(exitCode, output).toBe(0);
    expect(output).toContain("the log is empty");
  });

  it("has the app's words as soon as the push returns, and keeps them", async () => {
    await talking.push();
    expect((await server.reeve("logs", "talking")).output).toContain("booted");

    await server.settled("talking");

    expect((await server.reeve("logs", "talking")).output).toContain("booted");
  });

  it("names the visitor, not nginx", async () => {
    await server.get("talking", "/seen");

    await eventually(async () =>
      /127\.0\.0\.1 .*GET \/seen/.test((await server.reeve("logs", "talking")).output),
    );
  });
});

describe("destroy", () => {
  const server = withServer();

  it("asks, and removes nothing for another answer", async () => {
    const demo = await server.workspace("demo", plainApp("good"));
    await demo.push();

    const { exitCode } = await server.reeve("destroy", "demo");

    expect(exitCode).toBe(2);
    expect((await server.get("demo")).body).toBe("good");
  });

  it("leaves nothing of the app behind, and its name can be used again", async () => {
    const everything = (): string[] =>
      [
        "srv",
        "etc/apps",
        "etc/vassals",
        "etc/nginx/sites-available",
        "etc/nginx/sites-enabled",
        "run/sockets",
        "lib/links",
        "log/apps",
        "log/deploys",
        "lib/repositories",
      ].flatMap((folder) => readdirSync(server.path(folder)).map((name) => `${folder}/${name}`));

    const { exitCode, output } = await server.reeve("destroy", "demo", "--yes");

    expect(exitCode, output).toBe(0);
    expect(everything().filter((path) => path.includes("demo"))).toEqual([]);
    expect((await server.get("demo")).status).toBe(404);
    expect(await server.json("apps")).toEqual([]);
    const again = await server.workspace("demo", plainApp("again"));
    expect((await again.push()).exitCode).toBe(0);
    expect((await server.get("demo")).body).toBe("again");
  });

  it("of an app that is not there says so", async () => {
    const { exitCode, output } = await server.reeve("destroy", "nobody", "--yes");

    expect(exitCode).toBe(1);
    expect(output).toContain("error[APP_UNKNOWN]");
  });
});
