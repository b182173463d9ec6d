import { execFileSync } from "node:child_process";
import { readdirSync } from "node:fs";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { plainApp } from "../support/apps.ts";
import { eventually } from "../support/server.ts";
import { fromWheels, wheelFolder } from "../support/wheels.ts";
import { withApp, withServer } from "../support/with-server.ts";

const good = { ...plainApp("good"), Procfile: null, "requirements.txt": null };

function answeringBadly(lines: string): Record<string, string> {
  return {
    "app.py": `def app(environ, start_response):\n${lines}\n    start_response('500 No', [])\n    return [b'no']\n`,
  };
}

/** Says 200 first. */
function beginningWell(lines: string, headers = ""): Record<string, string> {
  return {
    "app.py": `def app(environ, start_response):\n    start_response('200 OK', [${headers}])\n${lines}\n`,
  };
}

const cutShort = [
  /APP_UNHEALTHY/,
  /GET \/ began with 200, and the app failed before the answer was whole/,
  /FileNotFoundError: .*'templates\/x\.html' *\n.*hint: /,
];

/** What is pushed, and what the pusher reads of it in the app's or the tool's own words. */
const mistakes: { title: string; files: Record<string, string | null>; says: RegExp[] }[] = [
  {
    title: "an import that fails",
    files: { "app.py": "import nosuch\n" },
    says: [/APP_UNHEALTHY/, /ModuleNotFoundError: No module named 'nosuch'/],
  },
  {
    title: "a callable that is missing",
    files: { "app.py": "print('no app here')\n" },
    says: [/APP_UNHEALTHY/, /unable to load app 0 .*callable not found/],
  },
  {
    title: "a mistake in the syntax",
    files: { "app.py": "def app(:\n" },
    says: [/APP_UNHEALTHY/, /SyntaxError/, /def app\(:/],
  },
  {
    title: "a package that does not exist",
    files: { "requirements.txt": "no-such-package-anywhere-0==1\n" },
    says: [/ENVIRONMENT_FAILED/, /no-such-package-anywhere-0/],
  },
  {
    title: "an app that answers 500",
    files: {
      "app.py":
        "def app(environ, start_response):\n    print('out of beer')\n    start_response('500 No', [])\n    return [b'no']\n",
    },
    says: [/APP_UNHEALTHY/, /GET \/ answered 500/, /out of beer/],
  },
  {
    title: "an app that raises",
    files: { "app.py": "def app(environ, start_response):\n    raise ValueError('a bad day')\n" },
    says: [/APP_UNHEALTHY/, /GET \/ got no answer: the app failed on it/, /ValueError: a bad day/],
  },
  {
    title: "an app that raises behind its 200",
    files: beginningWell("    return [open('templates/x.html', 'rb').read()]"),
    says: cutShort,
  },
  {
    title: "an app that raises behind its 200 and a part of its page",
    files: beginningWell("    yield b'one'\n    yield open('templates/x.html', 'rb').read()"),
    says: cutShort,
  },
  {
    title: "an app that raises where nobody reads it, with an empty page",
    files: beginningWell(
      "    import os, sys\n    sys.stderr = open(os.devnull, 'w')\n    raise ValueError",
    ),
    says: [/GET \/ began with 200/, /\(it wrote nothing about that to its log\)/],
  },
  {
    title: "a page that is shorter than it says",
    files: beginningWell(
      "    yield b'one'\n    yield open('templates/x.html', 'rb').read()",
      "('Content-Length', '100')",
    ),
    says: [/APP_UNHEALTHY/, /FileNotFoundError: .*'templates\/x\.html' *\n.*hint: /],
  },
  {
    title: "a file that is not there, in another's words",
    files: answeringBadly(
      "    try:\n        open('no.html')\n    except OSError as error:\n        raise RuntimeError('no page') from error",
    ),
    says: [/FileNotFoundError: .*'no\.html'/, /direct cause/, /RuntimeError: no page *\n.*hint: /],
  },
  {
    title: "a file that is not there, told by a thread, and 200 lines more",
    files: answeringBadly(
      "    import threading\n    thread = threading.Thread(target=lambda: open('no.html'))\n    thread.start()\n    thread.join()\n    for line in range(200): print(line)",
    ),
    says: [/GET \/ answered 500/, /FileNotFoundError: .*'no\.html'/],
  },
  {
    title: "an error of many characters",
    files: answeringBadly("    raise ValueError('x' * 200_000)"),
    says: [/ValueError: xxx/],
  },
  {
    title: "an app that ends itself on a request",
    files: answeringBadly("    raise SystemExit('I will not')"),
    says: [/APP_UNHEALTHY/, /I will not *\n.*hint: /],
  },
  {
    title: "an app that says nothing",
    files: answeringBadly("    pass"),
    says: [/GET \/ answered 500/, /\(it wrote nothing about that to its log\)/],
  },
  {
    title: "a tree without an app",
    files: { "app.py": null, README: "nothing" },
    says: [/MODULE_NOT_FOUND/, /Looked for: Procfile, app\.py/],
  },
  {
    title: "a Procfile that nobody can read",
    files: { Procfile: "what is this\n" },
    says: [/BUILD_TREE_INVALID/, /Procfile, line 1/],
  },
  {
    title: "a Procfile with an impossible module",
    files: { Procfile: "wsgi: app:app --workers 3\n" },
    says: [/BUILD_TREE_INVALID/, /is not module:callable/],
  },
  {
    title: "a Procfile in Heroku's words",
    files: { Procfile: "web: gunicorn app:app --log-file -\n" },
    says: [/MODULE_NOT_FOUND/, /hint: Add this line to the Procfile: wsgi: app:app/],
  },
];

describe("a push that is refused", () => {
  const server = withServer();
  const demo = withApp(server, "demo", plainApp("good"));

  beforeAll(async () => {
    await server.reeve("options", "demo", "set", "health_deadline=3");
    await server.settled("demo");
  });

  afterEach(async () => {
    const push = await demo.deploy(good, "All is well again");
    expect(push.exitCode, push.output).toBe(0);
    expect((await server.get("demo")).body).toBe("good");
  });

  it.each(mistakes)("for $title says why, and leaves the old page", async ({ files, says }) => {
    const before = await demo.remoteCommit();

    const push = await demo.deploy(files, "A mistake");

    expect(push.exitCode).toBe(1);
    for (const words of says) expect(push.output).toMatch(words);
    expect(push.output).not.toMatch(
      /reeve: started|\[pid: |WSGI app 0|total requests|exceptions: |Operational MODE/,
    );
    expect(push.output).toMatch(/remote: hint: /);
    expect(push.output).toMatch(/reeve: refused; still on the air: [0-9a-f]{7}/);
    expect((await server.get("demo")).body).toBe("good");
    expect(await demo.remoteCommit()).toBe(before);
    expect(readdirSync(server.path("srv/demo/releases"))).not.toContain(push.commit);
  });

  it.each([
    ["has told a failure that it caught", "traceback.print_exc()"],
    ["has nothing to say", "return []"],
  ])("is none where the app %s", async (_, caught) => {
    const lines = `    try:\n        open('no.html')\n    except OSError:\n        import traceback\n        ${caught}`;

    const push = await demo.deploy(beginningWell(`${lines}\n    return [b'well']`), "Caught");

    expect(push.exitCode, push.output).toBe(0);
    expect(push.output).toContain("healthy (GET / 200)");
  });

  it("for an app that never answers is refused when its time is over", async () => {
    const push = await demo.deploy(
      { "app.py": "import time\ndef app(environ, start_response):\n    time.sleep(3600)\n" },
      "Sleep",
    );

    expect(push.exitCode).toBe(1);
    expect(push.output).toMatch(/no answer within 3 s/);
    expect(push.output).toMatch(/ boot +started +\d+ ms\s+remote: +health +failed +\d+ ms/);
    expect((await server.get("demo")).body).toBe("good");
  });

  it("because its installer was killed says so", async () => {
    demo.write({
      "requirements.txt": "./slow\n",
      "slow/pyproject.toml":
        '[project]\nname = "slow"\nversion = "1"\n[build-system]\nrequires = []\nbuild-backend = "backend"\nbackend-path = ["."]\n',
      "slow/backend.py": "import time\ndef build_wheel(*args, **kwargs):\n    time.sleep(3600)\n",
    });
    await demo.commit("Build for ever");

    const pushing = demo.push("+HEAD:main");
    const isBuilding = (): boolean =>
      execFileSync("pgrep", ["-cf", `uv pip install --python ${server.path("srv/demo")}`])
        .toString()
        .trim() !== "0";
    await eventually(() => {
      try {
        return isBuilding();
      } catch {
        return false;
      }
    });
    execFileSync("pkill", ["-KILL", "-f", `uv pip install --python ${server.path("srv/demo")}`]);

    const push = await pushing;
    expect(push.exitCode).toBe(1);
    expect(push.output).toMatch(/ENVIRONMENT_FAILED\]: the installer was killed/);
    demo.write({ slow: null });
  });

  it("leaves no half-built environment, no understudy, no process", async () => {
    await demo.deploy(
      { "requirements.txt": fromWheels(wheelFolder(), "greeting==7") },
      "Ask for too much",
    );

    await server.settled("demo");
    const environments = readdirSync(server.path("srv/demo/envs")).filter(
      (name) => !name.startsWith("."),
    );
    expect(environments.filter((name) => name.includes("building"))).toEqual([]);
    expect(readdirSync(server.path("etc/vassals"))).toEqual(["demo.ini"]);
  });
});

describe.runIf(process.getuid?.() === 0)("a full disk", () => {
  const server = withServer();
  afterAll(async () => {
    await server.interrupt();
    execFileSync("umount", [server.path("srv/demo")]);
  });

  it("refuses the push, keeps the old page, and the next push works when there is room", async () => {
    const demo = await server.workspace("demo", plainApp("good"));
    await server.reeve("create", "demo");
    execFileSync("cp", ["-a", server.path("srv/demo"), server.path("srv/copy")]);
    execFileSync("mount", [
      "-t",
      "tmpfs",
      "-o",
      "size=8m,mode=755",
      "tmpfs",
      server.path("srv/demo"),
    ]);
    execFileSync("cp", ["-a", `${server.path("srv/copy")}/.`, server.path("srv/demo")]);
    const first = await demo.push();
    expect(first.exitCode, first.output).toBe(0);
    await server.settled("demo");

    const full = await demo.deploy({ "big.bin": "x".repeat(20 * 1024 * 1024) }, "Too much");

    expect(full.exitCode).toBe(1);
    expect(full.output).toMatch(/error\[NO_SPACE\]/);
    expect(full.output).toMatch(/still on the air/);
    expect((await server.get("demo")).body).toBe("good");
    const next = await demo.deploy({ "big.bin": null, ...plainApp("better") }, "Less");
    expect(next.exitCode, next.output).toBe(0);
    expect((await server.get("demo")).body).toBe("better");
  });
});

describe.runIf(process.getuid?.() === 0)("a server whose links cannot be changed any more", () => {
  const server = withServer();

  it("says why the traffic could not move, which git itself dies of without a word", async () => {
    const demo = await server.workspace("demo", plainApp("good"));
    await demo.git("push", "--quiet", "deploy", "main");
    await server.settled("demo");
    const links = server.path("lib/links");
    execFileSync("mount", ["--bind", links, links]);
    execFileSync("mount", ["-o", "remount,bind,ro", links]);

    const refused = await demo.deploy(plainApp("better"), "Better").finally(() => {
      execFileSync("umount", [links]);
    });

    expect(refused.exitCode).not.toBe(0);
    expect(refused.output).toContain("error[SYSTEM_REFUSED]: EROFS: read-only file system");
    expect(refused.output).not.toContain("PUSH_GONE");
    expect((await server.get("demo")).body).toBe("good");
    const next = await demo.push();
    expect(next.exitCode, next.output).toBe(0);
    expect((await server.get("demo")).body).toBe("better");
  });
});
