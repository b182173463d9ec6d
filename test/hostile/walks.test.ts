import { execFileSync } from "node:child_process";
import { existsSync, lstatSync, mkdirSync, readdirSync, statSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { beforeAll, describe, expect, it } from "vitest";
import { plainApp } from "../support/apps.ts";
import { holdAt, Swapper } from "../support/held.ts";
import { eventually, type TestServer } from "../support/server.ts";
import { withApp, withServer } from "../support/with-server.ts";

const isRoot = process.getuid?.() === 0;

/** A package whose build leaves a folder in the environment that it is built for, and waits until it may end. */
function trap(signal: string): Record<string, string> {
  return {
    ...plainApp("trapped"),
    "requirements.txt": "./evil\n",
    "evil/pyproject.toml":
      '[project]\nname = "evil"\nversion = "1"\n[build-system]\nrequires = []\nbuild-backend = "backend"\nbackend-path = ["."]\n',
    "evil/backend.py": `import glob, os, re, time, zipfile

def build_wheel(folder, *rest, **more):
    # The installer's own words say which environment it is.
    words = b" ".join(open(path, "rb").read() for path in glob.glob("/proc/[0-9]*/cmdline"))
    environment = re.search(rb"/[^\\0 ]*/envs/[0-9a-f]{16}(?=/bin/python)", words).group().decode()
    trap = os.path.join(environment, "trap")
    os.makedirs(trap)
    for name in "abcdefgh":
        open(os.path.join(trap, name), "w").close()
    for path in [trap, *glob.glob(trap + "/*")]:
        os.chmod(path, 0o777)
    while not os.path.exists(${JSON.stringify(signal)}):
        time.sleep(0.02)
    name = "evil-1-py3-none-any.whl"
    with zipfile.ZipFile(os.path.join(folder, name), "w") as wheel:
        wheel.writestr("evil.py", "")
        wheel.writestr("evil-1.dist-info/METADATA", "Metadata-Version: 2.1\\nName: evil\\nVersion: 1\\n")
        wheel.writestr("evil-1.dist-info/WHEEL", "Wheel-Version: 1.0\\nGenerator: x\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n")
        wheel.writestr("evil-1.dist-info/RECORD", "")
    return name
`,
  };
}

/** A folder of an app's, with files that anybody may run. */
function makeOwn(path: string, { uid, gid }: { uid: number; gid: number }): void {
  mkdirSync(path);
  for (const name of "pqrstu") writeFileSync(join(path, name), "", { mode: 0o755 });
  execFileSync("chown", ["-R", `${uid}:${gid}`, path]);
}

/** What the administrator has and no app, as it must stay. */
function look(server: TestServer): string[] {
  return ["lib/front/token", "lib/front", "lib/agent", "lib/agent/agent.db"].map((path) => {
    const { uid, gid, mode } = lstatSync(server.path(path));
    return `${path} ${uid}:${gid} ${(mode & 0o7777).toString(8)}`;
  });
}

/** Whoever owns a tree, or did, swaps its names each time that root's walk through it is held. */
describe.runIf(isRoot)("a walk of root's that is held at every step", () => {
  const server = withServer();
  withApp(server, "demo", { ...plainApp("one"), "lib/agent/file": "" });
  beforeAll(() => server.settled("demo"));

  it("W1: an environment, of which a process of the running app's user holds the folders", async () => {
    const environments = server.path("srv/demo/envs");
    const signal = server.path("log/apps/go");
    const known = readdirSync(environments);
    const workspace = await server.workspace("demo", trap(signal));
    const { uid, gid } = statSync(server.path("srv/demo/data"));
    const before = look(server);

    const pushing = workspace.start("push", "deploy", "+main");
    const isNew = (name: string): boolean => !known.includes(name) && /^[0-9a-f]{16}$/.test(name);
    const made = () => readdirSync(environments).find(isNew) ?? "absent";
    await eventually(() => existsSync(join(environments, made(), "trap", "h")), 60_000);
    const trapped = join(environments, made(), "trap");
    const own = server.path("srv/demo/data/own");
    makeOwn(own, { uid, gid });
    const targets = {
      ...{ own, file: server.path("lib/front/token"), folder: server.path("lib/agent"), seed: 0 },
    };
    const swapper = await Swapper.start(trapped, { uid, gid }, targets);
    const paths = [dirname(trapped), trapped, join(trapped, "guest")];
    const letGo = await holdAt(server.servicePid("agent"), paths, () => swapper.swap());
    writeFileSync(signal, "");
    const { all, exitCode } = await pushing;
    await letGo();

    expect(look(server)).toEqual(before);
    expect(exitCode, all).toBe(0);
    expect(swapper.moments, all).toBeGreaterThan(10);
  });

  it("W1: the staging tree, by a process of git's user", async () => {
    const workspace = await server.workspace("demo", {
      ...plainApp("two"),
      "lib/agent/file": "",
    });
    const user = statSync(server.path("lib/front"));
    const next = server.path("srv/demo/.staging/next");
    const before = look(server);

    const own = server.path("lib/front/own");
    const targets = {
      ...{ own, file: server.path("lib/agent/agent.db"), folder: server.path("lib"), seed: 0 },
    };
    const swapper = await Swapper.start(next, { uid: user.uid, gid: user.gid }, targets);
    const letGo = await holdAt(server.servicePid("agent"), [next], () => swapper.swap());
    await workspace.git("push", "--quiet", "deploy", "+main");
    await server.settled("demo");
    await eventually(() => existsSync(server.path("srv/demo/.staging/tree")), 60_000);
    await letGo();

    expect(look(server)).toEqual(before);
    expect(swapper.moments).toBeGreaterThan(10);
  });
});
