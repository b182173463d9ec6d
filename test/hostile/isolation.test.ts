import { execFileSync } from "node:child_process";
import { readFileSync, readlinkSync } from "node:fs";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { plainApp } from "../support/apps.ts";
import { ProcessWatch, type Seen } from "../support/process-watch.ts";
import { eventually, projectRoot, systemUsersOf, TestServer } from "../support/server.ts";
import { withServer, withWorkspace } from "../support/with-server.ts";

const isRoot = process.getuid?.() === 0;
const probe = readFileSync(join(projectRoot, "test/hostile/probe.py"), "utf8");

/** How each attempt of each case ended. */
type Findings = Record<string, [attempt: string, outcome: string][]>;

const cases = Array.from({ length: 22 }, (_, index) => `X${index + 1}`);
/** What the system says to somebody who may not, or to whom it does not even show what they ask for. */
const denials = ["EACCES", "EPERM", "EADDRINUSE", "nothing there"];
/** In a namespace of its own a build does not see others' processes and shared memory at all. */
const denialsToBuilds = [...denials, "ENOENT", "ESRCH", "EINVAL"];

/** Holds what is private to it: a secret, a log, shared memory of both kinds. */
const victim = {
  "app.py": `
import ctypes, os
libc = ctypes.CDLL(None, use_errno=True)
path = '/dev/shm/reeve-victim-%d' % os.getuid()
os.close(os.open(path, os.O_CREAT | os.O_RDWR, 0o600))
number = libc.shmget(0x5EE7 + os.getuid(), 4096, 0o1600)
print('the victim was here', flush=True)

def app(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/plain")])
    if environ["PATH_INFO"] == "/facts": return [b"%d %s" % (number, os.path.basename(path).encode())]
    return [b"the victim"]
`,
};

/** Leaves behind what an app can leave behind. */
const former = {
  "app.py": `
import os, subprocess
print('the former one was here', flush=True)

def app(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/plain")])
    open(os.environ['REEVE_DATA'] + '/former', 'w').close()
    for folder in ('/tmp', '/var/tmp', '/dev/shm'): open('%s/former-%d' % (folder, os.getuid()), 'w').close()
    subprocess.Popen(['setsid', 'sleep', '600'])
    return [b"the former one"]
`,
};

/** Probes while it is built, as a package of the repository's own, and once more for each visitor of /run. */
function mallory(facts: object): Record<string, string> {
  return {
    "app.py": `
import json, probe, probed_at_build

def app(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/plain")])
    if environ["PATH_INFO"] == "/build": return [probed_at_build.findings.encode()]
    if environ["PATH_INFO"] == "/run": return [json.dumps(probe.run(json.load(open("facts.json")))).encode()]
    return [b"mallory"]
`,
    "facts.json": JSON.stringify(facts),
    "probe.py": probe,
    "requirements.txt": "./package\n",
    "package/pyproject.toml": `[build-system]\nrequires = []\nbuild-backend = "backend"\nbackend-path = ["."]\n[project]\nname = "probed"\nversion = "1"\n`,
    "package/probe.py": probe,
    "package/backend.py": `
import json, os, time, zipfile
import probe

def build_wheel(folder, config_settings=None, metadata_directory=None):
    facts = json.loads(${JSON.stringify(JSON.stringify(facts))})
    findings = json.dumps(probe.run(facts))
    # Whoever looks at the processes of a build has time to do so.
    time.sleep(1)
    name = "probed-1-py3-none-any.whl"
    info = "probed-1.dist-info"
    with zipfile.ZipFile(os.path.join(folder, name), "w") as wheel:
        wheel.writestr("probed_at_build.py", "findings = %r\\n" % findings)
        wheel.writestr(info + "/METADATA", "Metadata-Version: 2.1\\nName: probed\\nVersion: 1\\n")
        wheel.writestr(info + "/WHEEL", "Wheel-Version: 1.0\\nGenerator: test\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n")
        wheel.writestr(info + "/RECORD", "")
    return name
`,
  };
}

describe.runIf(isRoot)("an app that tries another app, the server and root", () => {
  const canary = "canary-1f2e3d";
  const server = withServer([], {
    ssh: true,
    // Numbers of its own: that of a user that is gone is not reeve's to take again, but another server's.
    environment: { CANARY: canary, REEVE_FIRST_USER_ID: "41000" },
  });
  const app = withWorkspace(server, "mallory", former);
  let facts: Record<string, unknown>;
  let built: Findings;
  let ran: Findings;
  let seen: Seen[];
  let untouched: number[];
  let victimPids: number[];

  beforeAll(async () => {
    const other = await server.workspace("victim", victim);
    await server.reeve("create", "victim");
    await server.reeve("vars", "victim", "set", `SECRET=${canary}`);
    await other.push();
    await server.reeve("create", "mallory");
    await server.reeve("vars", "mallory", "set", "FORMER=one");
    await app.push();
    await server.settled("mallory");
    expect((await server.get("mallory")).body).toBe("the former one");
    const before = systemUsersOf(server.home).find(({ comment }) => comment.startsWith("mallory "));
    await server.reeve("destroy", "mallory", "--yes");
    await app.deploy(plainApp("mallory"));
    for (const name of ["mallory", "victim"]) await server.settled(name);

    facts = await factsOf(server, before?.uid ?? -1);
    untouched = Object.values(facts["server"] as Record<string, number>);
    victimPids = server.processesOf("victim");
    const watch = new ProcessWatch(server.pid);
    const push = await app.deploy(mallory(facts));
    seen = watch.end();
    expect(push.exitCode, push.output).toBe(0);
    await server.settled("mallory");
    built = JSON.parse((await server.get("mallory", "/build")).body) as Findings;
    ran = JSON.parse((await server.get("mallory", "/run")).body) as Findings;
  });
  afterAll(async () => {
    for (const name of ["mallory", "victim"]) await server.reeve("destroy", name, "--yes");
  });
  afterEach(async () => {
    expect((await server.get("victim")).body, "the victim answers").toBe("the victim");
    expect(server.processesOf("victim"), "by the same processes").toEqual(victimPids);
    for (const pid of untouched)
      expect(() => process.kill(pid, 0), "the server's live").not.toThrow();
  });

  it("would succeed as root, so that what is tried is there", () => {
    const python = ["/usr/bin/python3", join(projectRoot, "test/hostile/probe.py")] as const;
    const output = execFileSync(python[0], [python[1]], { input: JSON.stringify(facts) });
    const found = JSON.parse(output.toString()) as Findings;

    const refused = Object.entries(found).flatMap(([name, attempts]) =>
      attempts.filter(([, outcome]) => outcome !== "open").map(([attempt]) => [name, attempt]),
    );
    // A port is taken for root as well, and nothing is left of the former app for anybody.
    expect(refused.filter(([name]) => !["X17", "X21", "X22"].includes(name ?? ""))).toEqual([
      ["X20", "sockets without a file"],
    ]);
  });

  it.each(cases)("%s is denied to the running app", (name) => {
    expect(notDenied(ran, name, denials)).toEqual([]);
  });

  it.each(cases)("%s is denied to its build", (name) => {
    expect(notDenied(built, name, denialsToBuilds)).toEqual([]);
  });

  it("X19: what it tells the Emperor by the descriptor that it has is about itself alone", async () => {
    const words = {
      "app.py": `
import os

def app(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/plain")])
    if environ["PATH_INFO"] != "/tell": return [b"mallory"]
    for word in range(256):
        try: os.write(int(os.environ["UWSGI_EMPEROR_FD"]), bytes([word]) * 16)
        except OSError as error: return [str(error).encode()]
    return [b"told"]
`,
      "requirements.txt": null,
    };
    expect((await app.deploy(words)).exitCode).toBe(0);
    await server.settled("mallory");

    expect((await server.get("mallory", "/tell").catch(() => undefined))?.body ?? "").not.toContain(
      "KeyError",
    );

    await new Promise((resolve) => setTimeout(resolve, 3000));
    expect((await app.deploy(plainApp("mallory again"))).exitCode).toBe(0);
    await eventually(async () => (await server.get("mallory")).body === "mallory again");
  });

  describe("while it is deployed", () => {
    it("runs with its own user, without groups, capabilities or a way to get them, like all that is not root's", () => {
      const users = new Map(systemUsersOf(server.home).map(({ name, uid }) => [uid, name]));
      const [front, web] = ["reeve", "www-data"].map((name) =>
        Number(execFileSync("id", ["-u", name])),
      );
      const known = new Set([...users.keys(), front, web]);

      const wrong = seen.filter(
        ({ uid, groups, capabilities, newPrivileges, title }) =>
          uid !== 0 &&
          !(
            // What ends a user's processes is nobody whom that user may end.
            (known.has(uid) || / \/\S+\/system\/end-processes\.py \d+$/.test(title)) &&
            // setpriv takes the user on first, keeps root's rights to put the groups aside, and loses them in its exec.
            (title.startsWith("setpriv ") ||
              // nginx gives its workers the groups of their user.
              (groups.every((group) => uid === web && group === web) && capabilities === 0n)) &&
            !newPrivileges &&
            !title.includes(canary)
          ),
      );

      expect(wrong).toEqual([]);
      const own = [...users]
        .filter(([, name]) => name.startsWith("reeve-mallory"))
        .map(([uid]) => uid);
      expect(seen.some(({ uid, title }) => own.includes(uid) && title.includes("uwsgi-core"))).toBe(
        true,
      );
      const builders = [...users]
        .filter(([, name]) => name.startsWith("reeve-build-"))
        .map(([uid]) => uid);
      const installing = seen.filter(
        ({ uid, title }) => uid !== 0 && title.includes("pip install") && !/^setpriv /.test(title),
      );
      expect(installing.length).toBeGreaterThan(0);
      expect(installing.filter(({ uid }) => !builders.includes(uid))).toEqual([]);
      expect(seen.some(({ uid, title }) => uid === front && title.includes("receive-pack"))).toBe(
        true,
      );
    });

    it("has nothing run as root but reeve's own tools, and none of them can gain rights", () => {
      const tools =
        /^(\/\S*\/)?(setpriv|prlimit|unshare|timeout|chown|chmod|cp|rm|find|getent|install|uwsgi-core|nginx:?|node|perl \/\S+\/system\/box\.pl|perl -w \/\S+\/etc\/emperor-hook|python3 -I -S \/\S+\/system\/(walker\/__main__|end-processes)\.py) /;
      const root = seen.filter(({ uid, pid }) => uid === 0 && pid !== server.pid);

      expect(
        root.filter(({ title }) => !tools.test(`${title} `)).map(({ title }) => title),
      ).toEqual([]);
      // setpriv itself, and whatever has only just been forked, is about to put its rights aside.
      const settled = root.filter(({ title }) => !/^setpriv |main\.js up$/.test(title));
      expect(
        settled.filter(({ newPrivileges }) => newPrivileges).map(({ title }) => title),
      ).toEqual([]);
    });

    it("has nothing of the server's environment in its own", () => {
      const names =
        /^(PATH|LANG|PWD|OLDPWD|SHLVL|_|HOME|TMPDIR|LC_CTYPE|VIRTUAL_ENV)$|^(REEVE|GIT|PIP|UV|UWSGI|PYTHON|PEP517|_PYPROJECT|NGINX|SSL|REQUESTS|SSH)_?|^(https?_proxy|HTTPS?_PROXY)$/;
      // sshd and nginx write their titles over what they were started with: that is no variable.
      const isStrange = (entry: string, title: string): boolean =>
        entry.includes(canary) ||
        (/^\w+=/.test(entry) &&
          !title.includes(entry.trim()) &&
          !names.test(entry.slice(0, entry.indexOf("="))));
      const strange = seen
        .filter(({ pid, title }) => pid !== server.pid && !/main\.js up$/.test(title))
        .flatMap(({ title, environment }) =>
          environment
            .filter((entry) => isStrange(entry, title))
            .map((entry) => `${title}: ${entry}`),
        );

      expect([...new Set(strange)]).toEqual([]);
    });
  });
});

function notDenied(findings: Findings, name: string, denied: string[]): [string, string][] {
  const attempts = findings[name] ?? [];
  expect(attempts.length).toBeGreaterThan(0);
  return attempts.filter(([, outcome]) => !denied.includes(outcome));
}

async function factsOf(server: TestServer, formerUid: number): Promise<Record<string, unknown>> {
  const [shared, posix] = (await server.get("victim", "/facts")).body.split(" ");
  const release = readlinkSync(server.path("srv/victim/app"));
  return {
    home: server.home,
    port: server.port,
    sshPort: server.sshPort,
    own: "mallory",
    former: { uid: formerUid },
    // Its data and its log; while it is built also what is being built, and the installer's own folder.
    mine: ["srv/mallory/data", "srv/mallory/envs/", "log/apps/mallory"].map((path) =>
      server.path(path),
    ),
    logs: [
      "apps/victim.log",
      "apps/victim.access.jsonl",
      "deploys/victim",
      "nginx-access.log",
      "agent.log",
      "front.log",
      "emperor.log",
      "sshd.log",
    ],
    server: {
      up: server.pid,
      front: server.servicePid("front"),
      agent: server.servicePid("agent"),
      Emperor: Number(server.read("run/emperor.pid")),
      nginx: Number(server.read("run/nginx.pid")),
    },
    victim: {
      pid: server.processesOf("victim").at(-1),
      release: server.path("srv/victim", release),
      code: server.path("srv/victim", release, "app.py"),
      environment: server.path("srv/victim", readlinkSync(server.path("srv/victim/env"))),
      shared: Number(shared),
      posix,
    },
  };
}
