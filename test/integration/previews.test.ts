import { existsSync, readdirSync } from "node:fs";
import { beforeAll, describe, expect, it } from "vitest";
import { evaluatingApp, plainApp } from "../support/apps.ts";
import { eventually, type TestServer } from "../support/server.ts";
import { Visitors } from "../support/visitors.ts";
import { withApp, withServer, withWorkspace } from "../support/with-server.ts";

/** Every file of the server's that a preview's name is in. */
function traces(server: TestServer, name: string): string[] {
  const folders = [
    "srv",
    "etc/apps",
    "etc/vassals",
    "etc/nginx/sites-available",
    "etc/nginx/sites-enabled",
    "lib/links",
    "run/sockets",
    "log/apps",
  ];
  return folders.flatMap((folder) =>
    readdirSync(server.path(folder))
      .filter((file) => file.startsWith(name))
      .map((file) => `${folder}/${file}`),
  );
}

describe("a push of branches", () => {
  const server = withServer();
  const demo = withApp(server, "demo", plainApp("production"));

  const branch = async (name: string, files: Record<string, string>): Promise<string> => {
    await demo.git("checkout", "--quiet", "-B", "work", "main");
    demo.write(files);
    const commit = await demo.commit(`Work on ${name}`);
    await demo.git("update-ref", `refs/heads/${name}`, commit);
    return commit;
  };

  beforeAll(() => server.settled("demo"));

  it("puts each on the air that is well, refuses the broken one, and leaves production alone", async () => {
    const ini = server.read("etc/vassals/demo.ini");
    const one = await branch("feature/one", plainApp("one"));
    const two = await branch("feature/two", plainApp("two"));
    await branch("feature/broken", { "app.py": "import nosuchmodule\n" });

    const push = await demo.push("feature/one", "feature/broken", "feature/two");

    expect(push.exitCode).toBe(1);
    expect(push.output).toContain("ModuleNotFoundError: No module named 'nosuchmodule'");
    expect(push.output).toContain(`http://feature-one--demo.localhost:${server.port}/`);
    expect(push.output).toContain(`http://feature-two--demo.localhost:${server.port}/`);
    for (const [name, commit] of [
      ["one", one],
      ["two", two],
    ] as const) {
      const answer = await server.get(`feature-${name}--demo`);
      expect(answer.body).toBe(name);
      expect(answer.headers["x-reeve-release"]).toBe(`feature/${name} ${commit}`);
      expect(answer.headers["x-robots-tag"]).toBe("noindex");
      expect(await demo.remoteCommit(`refs/heads/feature/${name}`)).toBe(commit);
    }
    expect(await demo.remoteCommit("refs/heads/feature/broken")).toBe("");
    expect(traces(server, "feature-broken")).toEqual([]);
    expect((await server.get("feature-broken--demo")).status).toBe(404);
    expect((await server.get("demo")).body).toBe("production");
    expect(server.read("etc/vassals/demo.ini")).toBe(ini);
  });

  it("takes a preview off the air with its branch, without a trace", async () => {
    const push = await demo.push(":feature/two");

    expect(push.exitCode, push.output).toBe(0);
    expect(push.output).toContain("removed");
    await eventually(() => traces(server, "feature-two").length === 0);
    expect((await server.get("feature-two--demo")).status).toBe(404);
    const [record] = await server.json<{ state: string; ref: string }[]>("deploys", "demo");
    expect(record).toMatchObject({ state: "removed", ref: "refs/heads/feature/two" });
    expect(existsSync(server.path("srv/feature-one--demo"))).toBe(true);
  });

  it("tells the app who it is, in production too, and writes no ini for it", async () => {
    const words =
      "' '.join(os.environ[n] for n in ('REEVE_APP','REEVE_BRANCH','REEVE_COMMIT','REEVE_URL'))";
    const commit = await branch("who", evaluatingApp(words));
    await demo.push("who", "who:main");

    expect((await server.get("who--demo")).body).toBe(
      `demo who ${commit} http://who--demo.localhost:${server.port}/`,
    );
    await server.settled("demo");
    const ini = server.read("etc/vassals/demo.ini");
    await demo.git("checkout", "--quiet", "who");
    const next = await demo.commit("Nothing");
    await demo.push("who:main");
    await server.settled("demo");
    expect((await server.get("demo")).body).toBe(
      `demo main ${next} http://demo.localhost:${server.port}/`,
    );
    expect(server.read("etc/vassals/demo.ini")).toBe(ini);
  });
});

describe("a preview that nobody looks at", () => {
  const server = withServer([], { visited: true });
  const demo = withApp(server, "demo", plainApp("production"));

  const push = async (text: string, importFor = 0): Promise<void> => {
    demo.write(plainApp(text, { importFor }));
    await demo.commit(text);
    const { exitCode, output } = await demo.push("HEAD:shop");
    expect(exitCode, output).toBe(0);
  };
  const asleep = (): boolean => server.processesOf("shop--demo").length === 0;
  const boots = (): number =>
    server.read("log/emperor.log").match(/vassal shop--demo\.rel-\d+\.ini has been spawned/g)
      ?.length ?? 0;

  beforeAll(async () => {
    await server.reeve("options", "demo", "set", "preview_idle=2");
    await push("one", 1);
    await server.asleepAfterPush("shop--demo");
  });

  it("has no process, and its first visitor just waits for its boot", async () => {
    expect(asleep()).toBe(true);

    const began = performance.now();
    const answer = await server.get("shop--demo");

    expect(answer).toMatchObject({ status: 200, body: "one" });
    expect(performance.now() - began).toBeLessThan(10_000);
    expect(asleep()).toBe(false);
  });

  it("falls asleep again, and fifty visitors at once wake it once", async () => {
    await eventually(asleep, 30_000);
    const before = boots();

    const answers = await Promise.all(Array.from({ length: 50 }, () => server.get("shop--demo")));

    expect(answers.map(({ status }) => status)).toEqual(Array.from({ length: 50 }, () => 200));
    expect(boots()).toBe(before + 1);
  });

  it("does not fall asleep over a request that is running", async () => {
    demo.write({
      "app.py": `import time
def app(environ, start_response):
    time.sleep(9 if environ["PATH_INFO"] == "/slow" else 0)
    start_response("200 OK", [])
    return [b"awake"]
`,
    });
    await demo.commit("Slow");
    await demo.push("HEAD:shop");
    await server.asleepAfterPush("shop--demo");

    expect((await server.get("shop--demo", "/slow")).body).toBe("awake");
  });

  it.each(["sleeping", "waking", "awake"])(
    "is pushed to while %s, and no visitor notices",
    async (state) => {
      await push(`before ${state}`, 1);
      await server.asleepAfterPush("shop--demo");
      await eventually(asleep, 30_000);
      const visitors = new Visitors(server, "shop--demo");
      if (state === "awake") await server.get("shop--demo");
      if (state !== "sleeping") visitors.come(100, `before ${state}`);

      await push(`after ${state}`, 1);
      if (state === "sleeping") visitors.come(100, `after ${state}`);
      else visitors.expectFromNowOn(`after ${state}`);
      await server.asleepAfterPush("shop--demo");
      const noticed = await visitors.leave();

      expect(noticed).toEqual({ failed: [], stale: [] });
      expect((await server.get("shop--demo")).body).toBe(`after ${state}`);
    },
  );

  it("comes back with the server, asleep", async () => {
    await server.interrupt();
    await server.up();

    expect(asleep()).toBe(true);
    expect((await server.get("shop--demo")).body).toBe("after awake");
  });

  it("leaves nothing when its branch is deleted, asleep or awake", async () => {
    await demo.push("HEAD:refs/heads/other");
    await server.asleepAfterPush("other--demo");
    await server.get("shop--demo");

    const { exitCode, output } = await demo.push(":shop", ":other");

    expect(exitCode, output).toBe(0);
    for (const name of ["shop", "other"]) {
      expect(traces(server, `${name}--demo`)).toEqual([]);
      expect(server.processesOf(`${name}--demo`)).toEqual([]);
      expect((await server.get(`${name}--demo`)).status).toBe(404);
      expect(await demo.remoteCommit(`refs/heads/${name}`)).toBe("");
    }
    const pins = await demo.git("ls-remote", "deploy");
    expect(pins.output).not.toContain("shop");
  });
});

describe("what a preview has", () => {
  const env = (name: string): string => `os.environ.get('${name}')`;
  const server = withServer();
  const demo = withWorkspace(server, "demo", evaluatingApp(env("SECRET")));
  const isRoot = process.getuid?.() === 0;

  const push = async (files: Record<string, string>, ...refs: string[]): Promise<string> => {
    demo.write(files);
    await demo.commit("A change");
    const { exitCode, output } = await demo.push(...refs);
    expect(exitCode, output).toBe(0);
    return output;
  };

  beforeAll(async () => {
    await server.reeve("create", "demo");
    await server.reeve("vars", "demo", "set", "SECRET=production");
    await server.reeve("vars", "demo", "--preview", "set", "SECRET=preview");
    await demo.push();
  });

  it("is a set of variables of its own, unless the app's are wanted", async () => {
    await push({}, "HEAD:shop");
    expect((await server.get("shop--demo")).body).toBe("preview");
    expect((await server.get("demo")).body).toBe("production");

    await server.reeve("options", "demo", "set", "preview_variables=app");
    await push({}, "HEAD:shop");
    expect((await server.get("shop--demo")).body).toBe("production");
  });

  it("is a password, where the administrator wants one", async () => {
    await server.reeve("options", "demo", "set", "preview_password=open-sesame");
    await push({}, "HEAD:shop");

    expect((await server.get("shop--demo")).status).toBe(401);
    const authorization = `Basic ${Buffer.from("preview:open-sesame").toString("base64")}`;
    expect((await server.get("shop--demo", "/", { authorization })).status).toBe(200);
    await server.reeve("options", "demo", "set", "preview_password=");
    await push({}, "HEAD:shop");
    expect((await server.get("shop--demo")).status).toBe(200);
  });

  it("is production's environment as a copy, and never the other way", async () => {
    const first = await push({ "requirements.txt": "# one\n" }, "HEAD:main");
    expect(first).toMatch(/environment +built with/);
    expect(await push({}, "HEAD:shop")).toMatch(/environment +copied from production's/);
    expect(await push({}, "HEAD:other")).toMatch(/environment +unchanged/);

    const second = await push({ "requirements.txt": "# two\n" }, "HEAD:shop");
    expect(second).toMatch(/environment +built with/);
    expect(await push({}, "HEAD:main")).toMatch(/environment +built with/);
    await server.settled("demo");
    expect(server.read("etc/vassals/demo.ini")).toContain("/srv/demo/envs/");
    expect(server.read("etc/vassals/demo.ini")).not.toContain("preview-envs");
  });

  it.runIf(isRoot)("is a user who may read nothing of production's", async () => {
    const secret = server.path("etc/apps/demo/variables/SECRET");
    const data = server.path("srv/demo/data");
    const words = [
      `import os, pwd`,
      `def tried(look):`,
      `    try: return str(look())`,
      `    except OSError as e: return type(e).__name__`,
    ].join("\n");
    const seen = `pwd.getpwuid(os.getuid()).pw_name + ' ' + tried(lambda: open('${secret}').read()) + ' ' + tried(lambda: os.listdir('${data}')) + ' ' + tried(lambda: os.listdir('${server.path("run/sockets")}')) + ' ' + tried(lambda: open(os.environ['REEVE_DATA'] + '/mine', 'w').write('x'))`;
    await push(evaluatingApp(seen, words), "HEAD:shop");

    expect((await server.get("shop--demo")).body).toMatch(
      /^reeve-demo-preview(-\d+)? PermissionError PermissionError PermissionError 1$/,
    );
  });
});
