import { spawn } from "node:child_process";
import { once } from "node:events";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it, onTestFinished } from "vitest";
import { boxed } from "../../../src/system/box.ts";
import { waitFor } from "../../../src/system/clock.ts";
import { CommandFailed, LocalSystem, type Command } from "../../../src/system/system.ts";
import { projectRoot } from "../../support/server.ts";
import { temporaryFolder } from "../../support/unit-folder.ts";
import { isRoot, nobody } from "../../support/unit-identity.ts";

const box = { processes: 300, memory: 2 ** 31, fileSize: 2 ** 20, openFiles: 64 };
const as = { name: "reeve-demo", uid: 30_000, gid: 30_001 };
const command = { file: "pip", args: ["install", "--", "$(id)"] };
const system = new LocalSystem();

const boxProgram = join(projectRoot, "src/system/box.pl");

function wordsOf(means: { isRoot: boolean; namespaces: boolean }): string {
  const own = { ...box, writable: ["/srv/own"], groups: ["/groups/one"] };
  const { file, args } = boxed(command, own, as, means);
  return [file, ...args].join(" ");
}

const limits = "--as=2147483648 --fsize=1048576 --nofile=64 --core=0";

describe("the words of a box", () => {
  it("are limits, namespaces with a view and a first process of root's, and the user without any rights", () => {
    expect(wordsOf({ isRoot: true, namespaces: true })).toBe(
      `setpriv --pdeathsig=KILL -- prlimit --nproc=300 ${limits} -- ` +
        "unshare --pid --fork --kill-child --mount-proc --ipc -- " +
        `/usr/bin/perl ${boxProgram} --temporary=1073741824 --writable=/srv/own --group=/groups/one -- ` +
        "timeout --foreground 0 " +
        "setpriv --pdeathsig=KILL --reuid=30000 --regid=30001 --clear-groups --no-new-privs " +
        "--inh-caps=-all --bounding-set=-all -- pip install -- $(id)",
    );
  });

  it("leave out the namespaces and the view where the system makes none, and keep the groups", () => {
    const words = wordsOf({ isRoot: true, namespaces: false });

    expect(words).not.toMatch(/unshare|--temporary|--writable/);
    expect(words).toContain(`/usr/bin/perl ${boxProgram} --group=/groups/one -- setpriv`);
  });

  it("are limits alone without root, and no number of processes: that would be all of somebody's", () => {
    expect(wordsOf({ isRoot: false, namespaces: false })).toBe(
      `setpriv --pdeathsig=KILL -- prlimit ${limits} -- setpriv --pdeathsig=KILL --no-new-privs -- pip install -- $(id)`,
    );
  });
});

/** python rather than a shell, for what needs system calls. */
function python(script: string, more: Partial<Command> = {}): Command {
  return { file: "/usr/bin/python3", args: ["-I", "-c", script], as: nobody, box, ...more };
}

/** A process that has left its session and its parent, and whose death nobody asks for. */
const runaway = `
import ctypes, os, signal, sys, time
mark = sys.argv[1] if len(sys.argv) > 1 else "reeve-runaway"
ctypes.CDLL(None).prctl(1, 0)
signal.signal(signal.SIGTERM, signal.SIG_IGN)
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        os.execv("/bin/sleep", ["MARK", "300"])
    os._exit(0)
`;

/** Goes on until SIGTERM, and leaves no folder. */
const passingFolders = `
import os, signal, tempfile
going = True
def end(*_):
    global going
    going = False
signal.signal(signal.SIGTERM, end)
print("started", flush=True)
while going:
    for folder in [tempfile.mkdtemp(prefix="reeve-passing-") for _ in range(50)]:
        os.chmod(folder, 0o755)
        os.rmdir(folder)
`;

function running(mark: string): string[] {
  return readdirSync("/proc").filter((pid) => {
    try {
      return /^\d+$/.test(pid) && readFileSync(`/proc/${pid}/cmdline`, "utf8").startsWith(mark);
    } catch {
      return false;
    }
  });
}

describe.runIf(isRoot)("what runs in a box", () => {
  it("has no rights, no groups, and no way to get any", async () => {
    const status = await system.run(python("print(open('/proc/self/status').read())"));

    expect(status).toMatch(/^NoNewPrivs:\t1$/m);
    expect(status).toMatch(/^Groups:\t *$/m);
    for (const name of ["CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"])
      expect(status).toMatch(new RegExp(`^${name}:\\t0{16}$`, "m"));
  });

  it("sees no process but its own", async () => {
    const seen = await system.run(
      python("import os; print([int(n) for n in os.listdir('/proc') if n.isdigit()])"),
    );

    expect((JSON.parse(seen) as number[]).length).toBeLessThan(5);
  });

  it.each([
    ["memory", "x = bytearray(3 * 2**30)", /MemoryError/],
    ["large files", "open('/tmp/reeve-box-large', 'wb').write(bytes(2 * 2**20))", /File too large/],
    ["open files", "files = [open('/dev/null') for _ in range(100)]", /Too many open files/],
    [
      "processes",
      "import os, time\nfor _ in range(400):\n    if os.fork() == 0: time.sleep(20); os._exit(0)",
      /Resource temporarily unavailable/,
    ],
  ])("gets no more %s than it may", async (_, script, message) => {
    const failing: unknown = await system.run(python(script)).catch((error: unknown) => error);

    expect(failing).toBeInstanceOf(CommandFailed);
    expect((failing as CommandFailed).output).toMatch(message);
  });

  it("B3: leaves nothing running, whatever it did to stay", async () => {
    await system.run(python(runaway.replaceAll("MARK", "reeve-runaway-one")));

    expect(running("reeve-runaway-one")).toEqual([]);
  });

  it("B5: ends at its deadline, also where it has left its session and hears no signal", async () => {
    const script = `${runaway.replaceAll("MARK", "reeve-runaway-two")}\nos.setsid() if os.getpgid(0) != os.getpid() else None\ntime.sleep(300)`;

    const failing: unknown = await system
      .run(python(script, { deadline: 1000 }))
      .catch((error: unknown) => error);

    expect(failing).toMatchObject({ timedOut: true });
    await waitFor(() => Promise.resolve(running("reeve-runaway-two").length === 0), {
      within: 2000,
    });
    expect(running("reeve-runaway-two")).toEqual([]);
  });

  it("starts while root makes folders for temporary files and removes them", async () => {
    const passing = spawn("/usr/bin/python3", ["-I", "-c", passingFolders]);
    onTestFinished(async () => {
      passing.kill();
      await once(passing, "exit");
    });
    await once(passing.stdout, "data");

    for (let started = 0; started < 40; started += 1)
      await system.run({ file: "true", args: [], as: nobody, box: { ...box, writable: [] } });
  });

  it("W8: starts as soon where somebody has thousands of files in a folder for temporary files", async () => {
    const count = 3000;
    const each = (work: string): string =>
      `import os\nfor n in range(${count}):\n    path = f"/var/tmp/reeve-box-{n}"\n    ${work}`;
    onTestFinished(async () => {
      await system.run({
        ...python(each("os.path.exists(path) and os.unlink(path)")),
        box: undefined,
      });
    });
    await system.run({ ...python(each("open(path, 'w').close()")), box: undefined });

    const { file, args } = boxed({ file: "true", args: [] }, box, nobody, {
      isRoot: true,
      namespaces: true,
    });
    const trace = join(temporaryFolder(), "calls");
    const words = ["-f", "-e", "trace=open_tree", "-o", trace, "--", file, ...args];
    await system.run({ file: "strace", args: words });

    const calls = readFileSync(trace, "utf8");
    expect(calls).toContain("open_tree(");
    expect(calls.split("\n").length).toBeLessThan(count);
  });

  it("passes on its exit code, its output and its input", async () => {
    const failing: unknown = await system
      .run(python("import sys; sys.exit(7)"))
      .catch((error: unknown) => error);

    expect(failing).toMatchObject({ exitCode: 7 });
    const killed: unknown = await system
      .run(python("import os; os.kill(os.getpid(), 9)"))
      .catch((error: unknown) => error);
    expect(killed).toMatchObject({ exitCode: 128 + 9, output: "" });
    expect(await system.run(python("print(input())", { input: "words\n" }))).toBe("words\n");
  });
});
