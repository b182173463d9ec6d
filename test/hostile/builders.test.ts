import { spawn, spawnSync } from "node:child_process";
import {
  chmodSync,
  lstatSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { plainApp } from "../support/apps.ts";
import { eventually, systemUsersOf, type TestServer } from "../support/server.ts";
import type { Outcome } from "../support/server.ts";
import { fromWheels, wheelFolder } from "../support/wheels.ts";
import { withServer } from "../support/with-server.ts";
import type { Workspace } from "../support/workspace.ts";

const isRoot = process.getuid?.() === 0;
const hasMemoryController = /\bmemory\b/.test(readFileSync("/proc/self/cgroup", "utf8"));
/** What a build leaves has this in its name or in its text. */
const mark = "left-by-a-build-7c1e";

/** An app with a package of its own, whose build runs this. */
function building(program: string): Record<string, string> {
  return {
    ...plainApp("built"),
    "requirements.txt": "./package\n",
    "package/pyproject.toml":
      '[project]\nname = "own"\nversion = "1"\n[build-system]\nrequires = []\nbuild-backend = "backend"\nbackend-path = ["."]\n',
    "package/backend.py": `import ctypes, json, os, signal, socket, subprocess, sys, time, zipfile
here = os.path.dirname(os.path.abspath(__file__))
libc = ctypes.CDLL(None, use_errno=True)
workshop = os.path.dirname(os.environ.get("UV_CACHE_DIR") or os.environ["PIP_CACHE_DIR"])
environments = os.path.dirname(os.path.dirname(workshop))
mark = ${JSON.stringify(mark)}

def build_wheel(folder, *rest, **more):
${program.replace(/^/gm, "    ")}
    name = "own-1-py3-none-any.whl"
    with zipfile.ZipFile(os.path.join(folder, name), "w") as wheel:
        wheel.writestr("own.py", "")
        wheel.writestr("own-1.dist-info/METADATA", "Metadata-Version: 2.1\\nName: own\\nVersion: 1\\n")
        wheel.writestr("own-1.dist-info/WHEEL", "Wheel-Version: 1.0\\nGenerator: x\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n")
        wheel.writestr("own-1.dist-info/RECORD", "")
    return name
`,
  };
}

/** Leaves something wherever it can, and a process in a session of its own that holds it open. */
const leaving = `
def leave(path):
    try:
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "w") as file: file.write(mark)
        os.chmod(path, 0o666)
        return open(path, "a")
    except OSError: return None

places = ["/tmp", "/var/tmp", "/dev/shm", "/run/lock", "/var/lock", "/dev/mqueue", workshop, workshop + "/uv", workshop + "/pip", os.environ["HOME"], os.environ["TMPDIR"], environments]
held = [leave(os.path.join(place, mark)) for place in places]
os.makedirs("/tmp/closed-" + mark, exist_ok=True)
leave("/tmp/closed-" + mark + "/in-it")
os.chmod("/tmp/closed-" + mark, 0)
libc.shmget(0x7c1e, 4096, 0o1666)
libc.semget(0x7c1e, 1, 0o1666)
libc.msgget(0x7c1e, 0o1666)
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        for number in (0, 1, 2): os.close(number)
        waiting = socket.socket(socket.AF_UNIX)
        try: waiting.bind("\\0" + mark)
        except OSError: pass
        os.execv(sys.executable, [mark, "-c", "import time; time.sleep(600)"])
    os._exit(0)
`;

/** Looks for all of it, in its own places, in those of the builds before, and in the kernel. */
const looking = `
found = []
def walk(folder):
    try: names = os.listdir(folder)
    except OSError: return
    for name in names:
        path = os.path.join(folder, name)
        if mark in name: found.append(path)
        if os.path.isdir(path) and not os.path.islink(path): walk(path)
for folder in ["/tmp", "/var/tmp", "/dev/shm", "/run/lock", "/var/lock", "/dev/mqueue", os.environ["HOME"]]: walk(folder)
walk(workshop)
for other in others:
    try: found.append(["entered", other, os.listdir(other)])
    except OSError: pass
for pid in os.listdir("/proc"):
    if not pid.isdigit() or int(pid) == os.getpid(): continue
    try:
        if mark in open("/proc/%s/cmdline" % pid).read(): found.append("process " + pid)
    except OSError: pass
for table in ("shm", "sem", "msg"):
    rows = open("/proc/sysvipc/" + table).read().splitlines()[1:]
    if rows: found.append(rows)
for number in os.listdir("/proc/self/fd"):
    try:
        if mark in os.readlink("/proc/self/fd/" + number): found.append("descriptor " + number)
    except OSError: pass
if mark in open("/proc/net/unix").read(): found.append("socket")
print("FOUND", json.dumps(found), flush=True)
raise SystemExit(1)
`;

/** Tries to write to every file that its environment shares with another one, in every way that there is. */
const spoiling = `
import fcntl, mmap
environment = os.path.join(environments, os.path.basename(os.environ["HOME"]))
found, shared = [], 0
def attempt(what, path, act):
    try: act()
    except (OSError, ValueError): return
    found.append([what, path])
def mapped(path):
    number = os.open(path, os.O_RDONLY)
    mmap.mmap(number, 0, mmap.MAP_SHARED, mmap.PROT_WRITE)
for folder, _, names in os.walk(environment):
    for name in names:
        path = os.path.join(folder, name)
        look = os.lstat(path)
        if look.st_nlink < 2 or os.path.islink(path): continue
        shared += 1
        for flags in (os.O_WRONLY, os.O_RDWR, os.O_WRONLY | os.O_TRUNC, os.O_WRONLY | os.O_APPEND):
            attempt("open", path, lambda: os.open(path, flags))
        attempt("truncate", path, lambda: os.truncate(path, 0))
        attempt("chmod", path, lambda: os.chmod(path, 0o666))
        attempt("chown", path, lambda: os.chown(path, os.getuid(), -1))
        attempt("utime", path, lambda: os.utime(path, (0, 0)))
        attempt("xattr", path, lambda: os.setxattr(path, "user." + mark, b"1"))
        attempt("capability", path, lambda: os.setxattr(path, "security.capability", b"\\0" * 20))
        attempt("link", path, lambda: os.link(path, os.path.join(workshop, mark + name)))
        attempt("link", path, lambda: os.link(path, path + mark))
        attempt("map", path, lambda: mapped(path))
        attempt("lease", path, lambda: fcntl.fcntl(os.open(path, os.O_RDONLY), fcntl.F_SETLEASE, fcntl.F_WRLCK))
print("SHARED", shared, flush=True)
print("FOUND", json.dumps(found), flush=True)
raise SystemExit(1)
`;

/** What is its own to change, its folders, it changes: what it shares goes, has another name, or is another one. */
const wrecking = `
environment = os.path.join(environments, os.path.basename(os.environ["HOME"]))
for count, (here, _, names) in enumerate(list(os.walk(os.path.join(environment, "lib")))):
    for name in names:
        if not name.startswith(("greeting", "farewell")): continue
        path = os.path.join(here, name)
        os.rename(path, path + mark)
        if count % 2: os.unlink(path + mark)
        with open(path, "w") as file: file.write(mark)
`;

function lookingIn(...others: string[]): string {
  return `others = ${JSON.stringify(others)}\n${looking}`;
}

function foundBy({ output }: Outcome): unknown {
  const found = /FOUND (.*)/.exec(output)?.[1]?.trimEnd();
  if (found === undefined) throw new Error(output);
  return JSON.parse(found);
}

/** An installer shows what a build prints only where it fails: it tells by a file how far it is, and goes on when the test lets it. */
function heldAt(folder: string): string {
  return `open(os.path.join(workshop, "held"), "w").close()\nwhile not os.path.exists(${JSON.stringify(join(folder, "go"))}): time.sleep(0.02)\n`;
}

async function isHeld(server: TestServer, app: string): Promise<void> {
  const cache = server.path("srv", app, "envs/.cache");
  await eventually(() => {
    try {
      return readdirSync(cache, { recursive: true }).some((path) => String(path).endsWith("/held"));
    } catch (error) {
      // The installer works in there, and what it removes goes while this is listed.
      if ((error as NodeJS.ErrnoException).code === "ENOENT") return false;
      throw error;
    }
  }, 60_000);
}

describe.runIf(isRoot)("builds, one at a time", () => {
  const server = withServer(["builds = 1", "build_memory = 300", "build_deadline = 60"]);
  let held: string;
  let builder: { name: string; uid: number };

  beforeAll(() => {
    const users = systemUsersOf(server.home).filter(({ comment }) => comment.startsWith("build "));
    expect(users).toHaveLength(1);
    builder = users[0]!;
  });
  beforeEach(() => {
    // Root's, so that a build sees it.
    held = mkdtempSync("/tmp/reeve-held-");
    chmodSync(held, 0o755);
  });
  afterEach(() => rmSync(held, { recursive: true, force: true }));

  const workshopOf = (app: string, kind = "envs"): string =>
    server.path("srv", app, kind, ".cache", String(builder.uid));
  const app = async (name: string, program: string): Promise<Workspace> =>
    server.workspace(name, building(program));
  /** A push that goes on, with what it has said so far. */
  const pushing = (workspace: Workspace, ref = "main") => {
    const push = workspace.start("push", "deploy", `HEAD:refs/heads/${ref}`);
    let said = "";
    for (const stream of [push.stdout, push.stderr])
      stream.on("data", (chunk: Buffer) => (said += chunk.toString()));
    return {
      said: (words: string) =>
        eventually(() => said.includes(words), 60_000).catch(() => {
          throw new Error(said);
        }),
      ended: async (): Promise<Outcome> => {
        const { exitCode } = await push;
        return { exitCode: exitCode ?? -1, output: said };
      },
    };
  };

  it("B17: find nothing of a preview's, of production's or of another app's before them", async () => {
    const first = await app("first", leaving);
    expect((await first.push()).exitCode).toBe(0);
    // Another commit's packages are built anew.
    await first.commit("Leave something in a preview");
    expect((await first.push("main:shop")).output).toContain("built with uv");
    const before = [workshopOf("first"), workshopOf("first", "preview-envs")];
    first.write(building(lookingIn(before[1]!)));
    await first.commit("Look in production");
    const production = await first.push();
    first.write(building(lookingIn(before[0]!)));
    await first.commit("Look in a preview");
    const preview = await first.push("main:other");
    const other = await (await app("other", lookingIn(...before))).push();

    // Its own app's caches of its own kind are its own: that is what they are for.
    const own = (kind: string): string[] =>
      ["", "uv", "pip"].map((cache) => join(workshopOf("first", kind), cache, mark));
    for (const [outcome, kind] of [
      [production, "envs"],
      [preview, "preview-envs"],
    ] as const) {
      const left = (foundBy(outcome) as string[]).filter((path) => !own(kind).includes(path));
      expect(left).toEqual([]);
    }
    expect(foundBy(other)).toEqual([]);
  });

  it("B17: find nothing of one that was cut off with the agent", async () => {
    const cut = await app("cut", `${leaving}\n${heldAt(held)}`);
    const push = pushing(cut);
    await isHeld(server, "cut");
    process.kill(server.servicePid("agent"), "SIGKILL");
    await push.ended();
    await eventually(() => server.isUp(), 30_000);
    const [half] = readdirSync(server.path("srv/cut/envs")).filter((name) =>
      /^[0-9a-f]{16}$/.test(name),
    );
    const places = [workshopOf("cut"), server.path("srv/cut/envs", half ?? "none")];

    const outcome = await (await app("after", lookingIn(...places))).push();

    expect(foundBy(outcome)).toEqual([]);
  });

  it("B18: wait for each other, which the push says, and leave the queue when they are cancelled", async () => {
    const pushes = [];
    pushes.push(pushing(await app("one", heldAt(held))));
    await isHeld(server, "one");
    for (const name of ["two", "three"]) {
      pushes.push(pushing(await app(name, "")));
      await pushes.at(-1)!.said("reeve: 1 build at once is what there may be: this one waits");
    }

    expect((await server.reeve("cancel", "two")).exitCode).toBe(0);
    const cancelled = await pushes[1]!.ended();
    writeFileSync(join(held, "go"), "");
    const outcomes = await Promise.all([pushes[0]!.ended(), pushes[2]!.ended()]);

    expect(cancelled.exitCode).toBe(1);
    expect(cancelled.output).toContain("error[DEPLOY_CANCELLED]");
    for (const { exitCode, output } of outcomes) expect(exitCode, output).toBe(0);
    expect((await (await app("two", "")).push()).exitCode).toBe(0);
  });

  it("B19: begin when nothing runs as their user any more", async () => {
    const words = [
      "--reuid",
      String(builder.uid),
      "--regid",
      String(builder.uid),
      "--clear-groups",
    ];
    const stranger = spawn("setpriv", [...words, "sleep", "600"]);
    const ended = new Promise((resolve) => stranger.once("exit", (_, signal) => resolve(signal)));

    const outcome = await (await app("alone", "")).push();

    expect(outcome.exitCode, outcome.output).toBe(0);
    expect(await ended).toBe("SIGKILL");
  });

  it("B20: leave nothing open to their user when they have ended, however they did", async () => {
    const outcomes = [
      await (await app("good", leaving)).push(),
      await (await app("bad", `${leaving}\nraise SystemExit(1)`)).push(),
    ];

    expect(outcomes.map(({ exitCode }) => exitCode)).toEqual([0, 1]);
    const words = [`--reuid=${builder.uid}`, `--regid=${builder.uid}`, "--clear-groups", "find"];
    const { stdout } = spawnSync(
      "setpriv",
      [...words, server.home, "-writable", "!", "-type", "l"],
      { encoding: "utf8" },
    );
    expect(stdout).toBe("");
  });

  it("B21: may not read their own app's variables, data and log, nor a release", async () => {
    await server.reeve("create", "closed");
    const paths = [
      "etc/apps/closed/variables",
      "srv/closed/data",
      "srv/closed/releases",
      "srv/closed/envs",
      "log/apps/closed.log",
    ];
    const tries = `
for path in ${JSON.stringify(paths.map((path) => server.path(path)))}:
    try: print("OPEN", path, os.listdir(path) if os.path.isdir(path) else open(path).read(), flush=True)
    except OSError: pass
for name in (".", "releases"):
    for each in (os.path.join(environments, "..", name),):
        try: print("OPEN", os.listdir(each), flush=True)
        except OSError: pass
print("TRIED", flush=True)
raise SystemExit(1)
`;
    const outcome = await (await app("closed", tries)).push();

    expect(outcome.output).toContain("TRIED");
    expect(outcome.output).not.toContain("OPEN");
  });

  it.runIf(hasMemoryController)(
    "B22: hold no more memory together than they may, whatever they only reserve",
    async () => {
      const reserving =
        "import mmap\nreserved = mmap.mmap(-1, 20 * 2**30, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS | 0x4000)\n";
      const holding = `${reserving}children = [os.fork() for _ in range(2)]\nheld = bytearray(os.urandom(1)) * (200 * 2**20)\ntime.sleep(1)\nif 0 in children: os._exit(0)\nif any(os.wait()[1] for _ in (1, 2)): raise SystemExit(1)\n`;

      const reserved = await (await app("reserving", reserving)).push();
      const held = await (await app("holding", holding)).push();

      expect(reserved.exitCode, reserved.output).toBe(0);
      expect(held.exitCode, held.output).toBe(1);
      expect(held.output).toContain("error[ENVIRONMENT_FAILED]");
    },
  );
});

describe.runIf(isRoot)("builds in an environment that begins with another one", () => {
  const wheels = wheelFolder();
  const server = withServer(["build_deadline = 60"]);
  let demo: Workspace;

  const push = async (program: string): Promise<Outcome> =>
    demo.deploy({
      ...building(program),
      "requirements.txt": fromWheels(wheels, "greeting==1.0", "farewell", "./package"),
    });
  const all = (): Record<string, string> => {
    const folder = server.path("srv/demo/envs");
    const there = readdirSync(folder).filter((name) => /^[0-9a-f]{16}$/.test(name));
    return Object.fromEntries(
      there.flatMap((hash) =>
        readdirSync(join(folder, hash), { recursive: true, encoding: "utf8" }).map((name) => {
          const path = join(folder, hash, name);
          const look = lstatSync(path);
          const text = look.isFile() ? readFileSync(path, "latin1") : "";
          return [path, [look.uid, look.gid, look.mode, look.mtimeMs, text].join(" ")];
        }),
      ),
    );
  };

  it("B24: change no byte, mode or owner of what it shares with it, and keep no name of it", async () => {
    demo = await server.workspace("demo", plainApp("demo"));
    expect((await push("")).exitCode).toBe(0);
    await server.settled("demo");
    const before = all();

    const tries = await push(spoiling);
    const wrecked = await push(wrecking);

    expect(foundBy(tries)).toEqual([]);
    expect(tries.output).toMatch(/SHARED [1-9]/);
    expect(wrecked.exitCode, wrecked.output).toBe(0);
    await server.settled("demo");
    const after = all();
    for (const [path, look] of Object.entries(before)) expect(after[path], path).toBe(look);
    expect(Object.keys(after).filter((path) => path.includes(mark))).toEqual([]);
  });
});

describe.runIf(isRoot)("a preview's build beside production's", () => {
  const server = withServer(["build_deadline = 60"]);
  let held: string;

  beforeAll(() => {
    held = mkdtempSync("/tmp/reeve-held-");
    chmodSync(held, 0o755);
  });
  afterAll(() => rmSync(held, { recursive: true, force: true }));

  it("B23: changes nothing that the latter reads", async () => {
    const listing = `
def of(look): return look.st_mtime_ns, look.st_uid

def listing():
    seen = []
    for folder in (workshop, "/tmp", "/var/tmp", "/dev/shm"):
        for parent, folders, files in os.walk(folder):
            # What root has in there is anybody's to see, and changes.
            folders[:] = [name for name in folders if os.lstat(os.path.join(parent, name)).st_uid != 0]
            seen += [(os.path.join(parent, name), *of(os.lstat(os.path.join(parent, name)))) for name in files if name != "held"]
    return sorted(one for one in seen if one[2] != 0)
`;
    const production = await server.workspace(
      "demo",
      building(
        `${listing}\nbefore = listing()\n${heldAt(held)}\nprint("SAME", before == listing(), flush=True)\nraise SystemExit(1)\n`,
      ),
    );
    const hostile = `
spoilt = []
def spoil(path):
    try:
        with open(path, "a") as file: file.write(mark)
        spoilt.append(path)
    except OSError: pass
root = os.path.join(environments, "..", "envs")
for folder in (root, root + "/.cache", "/tmp", "/var/tmp", "/dev/shm"):
    try: names = os.listdir(folder)
    except OSError: names = []
    for name in names + ${JSON.stringify(systemUsersOf(server.home).map(({ uid }) => String(uid)))}:
        if os.path.join(folder, name) == workshop: continue
        for inner in (name, name + "/uv/x", name + "/pip/x", name + "/x"): spoil(os.path.join(folder, inner))
print("SPOILT", json.dumps([path for path in spoilt if not path.startswith(("/tmp/", "/var/tmp/", "/dev/shm/"))]), flush=True)
raise SystemExit(1)
`;
    const said: string[] = [];
    const push = production.start("push", "deploy", "HEAD:refs/heads/main");
    for (const stream of [push.stdout, push.stderr])
      stream.on("data", (chunk: Buffer) => said.push(chunk.toString()));
    await isHeld(server, "demo");
    production.write(building(hostile));
    await production.commit("Spoil");

    const preview = await production.push("main:shop");
    writeFileSync(join(held, "go"), "");
    await push;

    expect(preview.output).toContain("SPOILT []");
    expect(said.join("")).toContain("SAME True");
  });
});
