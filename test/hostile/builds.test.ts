import { execFileSync } from "node:child_process";
import { chmodSync, existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { evaluatingApp, plainApp } from "../support/apps.ts";
import { catalogue } from "./catalogue.ts";
import { byWays, type SceneNow } from "./scene.ts";

catalogue("builds", buildCases);

const isRoot = process.getuid?.() === 0;

/** A package in the tree whose build runs this, and then fails with all that it printed, or goes on. */
function building(program: string): Record<string, string> {
  return {
    ...plainApp("built"),
    "requirements.txt": "./evil\n",
    "evil/pyproject.toml":
      '[project]\nname = "evil"\nversion = "1"\n[build-system]\nrequires = []\nbuild-backend = "backend"\nbackend-path = ["."]\n',
    "evil/backend.py": `import os, sys, time, glob, socket, subprocess, zipfile

def build_wheel(folder, *rest, **more):
${program.replace(/^/gm, "    ")}
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

/** Tries each, and says of each what came of it. */
function probe(tries: Record<string, string>): string {
  const lines = Object.entries(tries).map(
    ([name, expression]) => `
try:
    print("PROBE", ${JSON.stringify(name)}, "OPEN", ${expression}, flush=True)
except BaseException as error:
    print("PROBE", ${JSON.stringify(name)}, "denied", type(error).__name__, flush=True)`,
  );
  return `${lines.join("\n")}\nraise SystemExit(1)`;
}

function outcomes(output: string): Record<string, string> {
  return Object.fromEntries(
    [...output.matchAll(/PROBE (\S+) (OPEN|denied)/g)].map(([, name = "", outcome = ""]) => [
      name,
      outcome,
    ]),
  );
}

/** What runs while an environment is built, and what is left of it. */
function buildCases(scene: SceneNow): void {
  const push = async (
    files: Record<string, string>,
    title: string,
    via: "http" | "ssh" = "http",
  ) => {
    // Trees with folders need an index: another workspace's.
    const workspace = await scene().server.workspace("build", files);
    const commit = await workspace.commit(title);
    return scene().push(via, [`+${commit}:refs/heads/main`], workspace);
  };

  it.runIf(isRoot)("B1, B8, B11: a build reaches nothing of reeve's, nor root", async () => {
    const { server } = scene();
    const at = (path: string): string => JSON.stringify(server.path(path));
    const connect = (path: string): string => `socket.socket(socket.AF_UNIX).connect(${at(path)})`;
    const pids = {
      front: scene().front,
      agent: server.servicePid("agent"),
      nginx: Number(server.read("run/nginx.pid")),
      emperor: Number(server.read("run/emperor.pid")),
    };
    const tries: Record<string, string> = {
      token: `open(${at("lib/front/token")}).read()`,
      accounts: `open(${at("lib/front/front.db")}).read()`,
      keys: `open(${at("lib/front/authorized_keys")}).read()`,
      repositories: `os.listdir(${at("lib/repositories")})`,
      state: `os.listdir(${at("lib/agent")})`,
      vassals: `open(${at("etc/vassals/evil.ini")}, "w")`,
      ownIni: `open(${at("etc/vassals/demo.ini")}, "a")`,
      nginx: `open(${at("etc/nginx/sites-enabled/evil.conf")}, "w")`,
      link: `os.unlink(${at("lib/links/demo")})`,
      release: `open(glob.glob(${at("srv/demo/releases")} + "/*/app.py")[0], "a")`,
      agentSocket: connect("run/agent/agent.sock"),
      controlSocket: connect("run/control/control.sock"),
      frontSocket: connect("run/front/http.sock"),
      ownSocket: connect("run/sockets/demo.sock"),
      shadow: `open("/etc/shadow").read()`,
      ...Object.fromEntries(
        Object.entries(pids).flatMap(([name, pid]) => [
          [`kill-${name}`, `os.kill(${pid}, 0)`],
          [`environ-${name}`, `open("/proc/${pid}/environ").read(1)`],
          [`memory-${name}`, `open("/proc/${pid}/mem", "rb")`],
        ]),
      ),
    };
    const before = scene().main;
    const { exitCode, output } = await push(building(probe(tries)), "B1");

    expect(exitCode).toBe(1);
    expect(scene().main).toBe(before);
    expect(outcomes(output), output).toEqual(
      Object.fromEntries(Object.keys(tries).map((name) => [name, "denied"])),
    );
  });

  it("B8, B12: a build has a clean environment, no new privileges and no capabilities", async () => {
    const program = `print("NAMES", " ".join(sorted(os.environ)), flush=True)\nprint("STATUS", [l.split()[1] for l in open("/proc/self/status") if l.startswith(("NoNewPrivs", "CapEff"))], flush=True)\nraise SystemExit(1)`;
    const { output } = await push(building(program), "B8");

    const names = /NAMES (.*)/.exec(output)?.[1]?.trim().split(/\s+/) ?? [];
    expect(names.length, output).toBeGreaterThan(0);
    expect(
      names.filter((name) => /^(REEVE|GIT|SSH|UWSGI|npm)|TOKEN|SECRET|PASSWORD/.test(name)),
    ).toEqual(["GIT_CEILING_DIRECTORIES"]);
    expect(output).toMatch(/STATUS \['0000000000000000', '1'\]/);
  });

  describe("B2: requirements that reach for what is not theirs", () => {
    it.each(
      byWays<[string]>(
        [
          ["-r SECRET"],
          ["-r ../../../etc/server.toml"],
          ["-c /etc/shadow"],
          ["-e file://SECRET"],
          ["file:///etc/shadow"],
          ["git+file://REPOSITORIES/other.git"],
          ["git+ssh://reeve@127.0.0.1:SSHPORT/other"],
          ["--target=AROUND"],
          ["--prefix AROUND"],
          ["--find-links file:///etc\nreeve-no-such-package"],
          ["bottle\0-r SECRET"],
          ["\u001b[31mred"],
        ],
        3,
      ),
    )("%j, over %s", async (line, via) => {
      const { server, around } = scene();
      const secret = server.path("etc/secret-of-another");
      writeFileSync(secret, "in-anothers-file-4b1d\n", { mode: 0o600 });
      const filled = line
        .replace("SECRET", secret)
        .replace("REPOSITORIES", server.path("lib/repositories"))
        .replace("SSHPORT", String(server.sshPort))
        .replace("AROUND", around);
      const before = scene().main;
      const { exitCode, output } = await push(
        { ...plainApp("x"), "requirements.txt": `${filled}\n` },
        "B2",
        via,
      );
      rmSync(secret);

      expect(exitCode, output).toBe(1);
      expect(output).toMatch(/error\[(BUILD_TREE_INVALID|ENVIRONMENT_FAILED)\]/);
      expect(output).not.toContain("in-anothers-file");
      // eslint-disable-next-line no-control-regex -- what must not be shown
      expect(output).not.toMatch(/\u001b\[31m/);
      expect(scene().main).toBe(before);
    });
  });

  it("B5: a build that hears no signal and holds its output open ends with its time", async () => {
    const program = `import signal
for number in range(1, 32):
    try: signal.signal(number, signal.SIG_IGN)
    except (OSError, ValueError): pass
subprocess.Popen(["sleep", "300"])
print("now I hang", flush=True)
time.sleep(300)`;
    const began = performance.now();
    const { exitCode, output } = await push(building(program), "B5");

    expect(exitCode).toBe(1);
    expect(output).toContain("error[ENVIRONMENT_FAILED]: the installer did not end within 8 s");
    expect(performance.now() - began).toBeLessThan(40_000);
  });

  it.runIf(isRoot)("B13: what a build leaves open is closed", async () => {
    const { server } = scene();
    // A builder cannot look around among the environments; its own one has the name of its scratch.
    const program = `caches = os.environ.get("UV_CACHE_DIR") or os.environ["PIP_CACHE_DIR"]
where = os.path.join(caches, "../../..", os.path.basename(os.environ["HOME"]))
for name, mode in (("open.py", 0o777), ("suid", 0o6755)):
    path = os.path.join(where, name)
    open(path, "w").close()
    os.chmod(path, mode)
os.mkdir(os.path.join(where, "setgid"))
os.chmod(os.path.join(where, "setgid"), 0o2777)
os.mkfifo(os.path.join(where, "fifo"), 0o666)
os.symlink("/etc/shadow", os.path.join(where, "link"))`;
    const { exitCode, output } = await push(building(program), "B13");

    expect(exitCode, output).toBe(0);
    const [environment = ""] = readdirSync(server.path("srv/demo/envs")).filter((name) =>
      existsSync(server.path("srv/demo/envs", name, "suid")),
    );
    const folder = server.path("srv/demo/envs", environment);
    const left = execFileSync("find", [
      folder,
      "!",
      "-type",
      "l",
      "(",
      "-perm",
      "/7022",
      "-o",
      "!",
      "-uid",
      "0",
      ")",
    ]);
    expect(left.toString()).toBe("");
    expect(execFileSync("stat", ["-c", "%U %a", "/etc/shadow"]).toString()).toBe("root 640\n");
  });

  it.each(byWays([[]]))(
    "B14: a build cannot speak to the terminal, nor for git or reeve, over %s",
    async (via) => {
      const program = String.raw`print("\x1b]0;title\x07\x1b]52;c;ZXZpbA==\x07\x1b[31mred\x1b[0m\x1b]8;;http://evil.example\x1b\\link\x1b]8;;\x1b\\")
print("10%\r20%\rremote: To https://evil.example")
print("\u202eright-to-left\u202c \x00zero \x9b31mC1")
print("=yes")
print("|error[NOT_ALLOWED]: forged", flush=True)
raise SystemExit(1)`;
      const before = scene().main;
      const { exitCode, output } = await push(building(program), "B14", via);

      expect(exitCode).toBe(1);
      expect(scene().main).toBe(before);
      // git itself ends a line with `ESC[K`.
      const shown = output.replaceAll("\u001b[K", "");
      // eslint-disable-next-line no-control-regex -- what must not be shown
      expect(shown).not.toMatch(/[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u202a-\u202e]/);
      expect(output).toContain("error[ENVIRONMENT_FAILED]");
    },
  );

  it.runIf(isRoot)(
    "B15: what stands in a tree under a tool's name runs as nobody but the app and its builder",
    async () => {
      const { around } = scene();
      const users = join(around, "users");
      writeFileSync(users, "");
      chmodSync(users, 0o666);
      const shell = `#!/bin/sh\nid -un >>${users}\nexec /usr/bin/"\${0##*/}" "$@"\n`;
      const python = `import os, pwd\nopen(${JSON.stringify(users)}, "a").write(pwd.getpwuid(os.geteuid()).pw_name + "\\n")\n`;
      const workspace = await scene().server.workspace("shims", {
        ...plainApp("shims"),
        "sitecustomize.py": python,
        "usercustomize.py": python,
        "encodings.py": python,
        "evil.pth": `import os; exec(${JSON.stringify(python)})\n`,
        ...Object.fromEntries(
          ["python", "python3", "uv", "pip", "git", "sh", "find", "chown"].map((name) => [
            name,
            shell,
          ]),
        ),
      });
      await workspace.start(
        "update-index",
        "--chmod=+x",
        "python",
        "python3",
        "uv",
        "pip",
        "git",
        "sh",
        "find",
        "chown",
      );
      await workspace.git("commit", "--quiet", "--message", "B15");
      const { exitCode, output } = await scene().push("http", ["+HEAD:refs/heads/main"], workspace);
      const ran = new Set(readFileSync(users, "utf8").split("\n").filter(Boolean));
      rmSync(users);

      expect(exitCode, output).toBe(0);
      for (const user of ran) expect(user).toMatch(/^reeve-(demo|build)/);
    },
  );

  it.runIf(isRoot)(
    "B16: an app cannot write into its environment or its release afterwards",
    async () => {
      const tries = [
        "os.path.join(sys.prefix, 'late.py')",
        "os.path.join(os.getcwd(), 'late.py')",
        "os.path.join(os.getcwd(), 'app.py')",
      ];
      const expression = `[os.access(os.path.dirname(p), os.W_OK) or (os.path.exists(p) and os.access(p, os.W_OK)) for p in (${tries.join(", ")})]`;
      const { exitCode, output } = await push(evaluatingApp(expression, "import os, sys"), "B16");

      expect(exitCode, output).toBe(0);
      expect((await scene().server.get("demo")).body).toBe("[False, False, False]");
    },
  );
}
