import { chmodSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it, onTestFinished } from "vitest";
import { waitFor } from "../../../src/system/clock.ts";
import { CommandFailed, LocalSystem, type Command } from "../../../src/system/system.ts";
import { ensureIdentity, findIdentity, ownIdentity } from "../../../src/system/identity.ts";
import { findProcess } from "../../../src/system/processes.ts";
import { whileOutOfDescriptors } from "../../support/shortage.ts";
import { temporaryFolder } from "../../support/unit-folder.ts";
import { RecordingSystem } from "../../support/unit-system.ts";

const system = new LocalSystem();

function sh(script: string, ...words: string[]): Command {
  return { file: "sh", args: ["-c", script, "sh", ...words] };
}

async function failureOf(command: Command, onLine?: (line: string) => void) {
  const error: unknown = await system
    .run(command, onLine ? { onLine } : {})
    .catch((e: unknown) => e);
  expect(error).toBeInstanceOf(CommandFailed);
  return error as CommandFailed;
}

describe("a command that ends well", () => {
  it("resolves to all of its standard output, to the letter", async () => {
    expect(await system.run(sh("printf 'a\\n\\nb\\n\\n'; echo aside >&2"))).toBe("a\n\nb\n\n");
  });

  it("gives its lines, of both kinds, to whoever wants them as they come", async () => {
    const lines: string[] = [];

    const output = await system.run(sh("echo one; echo two >&2; printf three"), {
      onLine: (line) => lines.push(line),
    });

    expect(lines.sort()).toEqual(["one", "three", "two"]);
    expect(output).toBe("");
  });

  it("reads what it was given, and nothing where it was given nothing", async () => {
    expect(await system.run({ file: "cat", args: [], input: "a\0b\n" })).toBe("a\0b\n");
    expect(await system.run({ file: "cat", args: [] })).toBe("");
  });

  it("has no pipe to read from where it was given nothing", async () => {
    const command = { file: "readlink", args: ["/proc/self/fd/0"] };

    expect(await system.run(command)).toBe("/dev/null\n");
    expect(await system.run({ ...command, input: "a" })).toMatch(/^(?:pipe|socket):/);
  });

  it("takes each word as one argument: no shell sees it, and none becomes an option", async () => {
    const words = ["a b", "$(id)", "`id`", "; id", "*", "", "--", "-n", "'", '"', "\n"];

    const output = await system.run({ file: "printf", args: ["<%s>", ...words] });

    expect(output).toBe(words.map((word) => `<${word}>`).join(""));
  });

  it("has next to nothing in its environment, and nothing of ours", async () => {
    process.env["REEVE_TEST_SECRET"] = "secret";
    onTestFinished(() => {
      delete process.env["REEVE_TEST_SECRET"];
    });

    const names = (await system.run({ file: "env", args: [], env: { OWN: "1" } }))
      .trim()
      .split("\n")
      .map((line) => line.split("=")[0]);

    expect(names.sort()).toEqual(["LANG", "OWN", "PATH"]);
  });

  it("stands where it was told to, else nowhere in particular", async () => {
    const folder = temporaryFolder();

    expect(await system.run({ file: "pwd", args: [], cwd: folder })).toBe(`${folder}\n`);
    expect(await system.run({ file: "pwd", args: [] })).toBe("/\n");
  });

  it("takes what it left running with it", async () => {
    const folder = temporaryFolder();
    const pidFile = join(folder, "pid");

    await system.run(sh('sleep 60 >/dev/null 2>&1 & echo $! > "$1"', pidFile));

    const left = Number(readFileSync(pidFile, "utf8"));
    expect(await waitFor(async () => !(await findProcess(left)), { within: 5000 })).toBe(true);
  });
});

describe("a command that has ended", () => {
  it("is not waited for any longer because something of it goes on and holds its output", async () => {
    const lines: string[] = [];
    const script = "echo before; sleep 60 & echo after";

    expect(await system.run(sh(script))).toBe("before\nafter\n");
    await system.run(sh(script), { onLine: (line) => lines.push(line) });

    expect(lines).toEqual(["before", "after"]);
  });

  it("is not waited for either because something of it went into a session of its own", async () => {
    const folder = temporaryFolder();
    const script = `setsid sh -c 'echo $$ > "$1"; exec sleep 60' sh "$1" & until [ -s "$1" ]; do sleep 0.01; done; echo done; exit "$2"`;
    const strays = ["ok", "failed"].map((name) => join(folder, name)) as [string, string];
    onTestFinished(() => {
      for (const stray of strays) process.kill(Number(readFileSync(stray, "utf8")), "SIGKILL");
    });

    const [output, error] = await Promise.all([
      system.run(sh(script, strays[0], "0")),
      failureOf({ ...sh(script, strays[1], "3"), deadline: 30_000 }),
    ]);

    expect(output).toBe("done\n");
    expect(error).toMatchObject({ exitCode: 3, output: "done", timedOut: false });
  });
});

describe("a command that fails", () => {
  it("rejects with its exit code and the end of what it said", async () => {
    const error = await failureOf(sh("echo out; echo wrong >&2; exit 3"));

    expect(error).toMatchObject({ exitCode: 3, output: "wrong", timedOut: false });
    expect(error.message).toBe("sh ended with exit code 3:\nwrong");
  });

  it.each(["yes", "head -c 1001 /dev/zero"])(
    "is refused, and nothing of it is kept, when it prints more than it may: %s",
    async (line) => {
      const error = await failureOf({ ...sh(line), longestOutput: 1000 });

      expect(error).toMatchObject({ message: "sh printed too much and was stopped", output: "" });
    },
  );

  it("tells what it said on standard output where it said nothing else", async () => {
    expect((await failureOf(sh("echo only this; exit 1"))).output).toBe("only this");
  });

  it("keeps no more than the last lines, however much it printed", async () => {
    let count = 0;

    const error = await failureOf(sh("seq 1 20000; exit 1"), () => (count += 1));

    expect(count).toBe(20_000);
    expect(error.output.split("\n")).toHaveLength(60);
    expect(error.output).toMatch(/^19941\n[^]*\n20000$/);
  });

  it("bounds each line that it keeps", async () => {
    const error = await failureOf(sh("head -c 200000 /dev/zero | tr '\\0' x >&2; exit 1"));

    expect(error.output).toBe("x".repeat(4096));
  });

  it("names the signal that killed it", async () => {
    const error = await failureOf(sh("kill -KILL $$"));

    expect(error.message).toBe("sh was killed by SIGKILL");
    expect(error.exitCode).toBeUndefined();
  });

  it("is the system's own error when it cannot be started", async () => {
    const error: unknown = await system
      .run({ file: "no-such-program", args: [] })
      .catch((one: unknown) => one);

    expect(error).not.toBeInstanceOf(CommandFailed);
    expect(error).toMatchObject({ code: "ENOENT", syscall: "spawn no-such-program" });
  });

  it("is stopped where nobody can hear it, with what is said of that", async () => {
    const begun = Date.now();
    const hearing = (): never => {
      throw new Error("no space to write it down");
    };
    const running = system.run(sh("echo one; echo two; sleep 60"), { onLine: hearing });
    await expect(running).rejects.toThrow("no space to write it down");
    expect(Date.now() - begun).toBeLessThan(30_000);
  });

  it("is the system's own error too where no file can be opened any more, and we live on", async () => {
    const wanted = [sh("true"), { ...sh("cat"), input: "words" }];
    const failures = await whileOutOfDescriptors(() =>
      Promise.allSettled(wanted.map((command) => system.run(command))),
    );

    for (const failure of failures)
      expect(failure).toMatchObject({ status: "rejected", reason: { code: "EMFILE" } });
    expect(await system.run(sh("echo again"))).toBe("again\n");
  });

  it("is stopped at its deadline together with its children and theirs", async () => {
    const pidFile = join(temporaryFolder(), "pid");
    const script = 'sh -c \'sleep 60 & echo $! > "$1"; wait\' sh "$1"; true';

    const error = await failureOf({ ...sh(script, pidFile), deadline: 2000 });

    expect(error).toMatchObject({ timedOut: true });
    expect(error.message).toBe("sh took too long and was stopped");
    const grandchild = Number(readFileSync(pidFile, "utf8"));
    expect(grandchild).toBeGreaterThan(0);
    expect(await waitFor(async () => !(await findProcess(grandchild)), { within: 5000 })).toBe(
      true,
    );
  });

  it("is stopped as soon as nobody wants it any more, and says why", async () => {
    const unwanted = new AbortController();
    const reason = new Error("cancelled");
    const run = system.run(sh("sleep 60 & wait"), { signal: unwanted.signal });

    unwanted.abort(reason);

    await expect(run).rejects.toBe(reason);
    await expect(system.run(sh("sleep 60"), { signal: unwanted.signal })).rejects.toBe(reason);
  });

  it("is stopped at its deadline even if it will hear of no signal", async () => {
    const error = await failureOf({ ...sh("trap '' TERM INT HUP; sleep 60"), deadline: 200 });

    expect(error.timedOut).toBe(true);
  });
});

describe("a command under another identity", () => {
  const as = ownIdentity();

  it("may gain no privileges, and dies with reeve", async () => {
    const status = await system.run({ file: "cat", args: ["/proc/self/status"], as });

    expect(status).toMatch(/^NoNewPrivs:\t1$/m);
  });

  it("cannot be made to run something else by its own words", async () => {
    const output = await system.run({ file: "echo", args: ["--", "--reuid=0", "-x"], as });

    expect(output).toBe("-- --reuid=0 -x\n");
  });

  it.runIf(system.isRoot)("runs as that user, with none of root's groups or rights", async () => {
    const nobody = (await findIdentity(system, "nobody"))!;

    const status = await system.run({ file: "cat", args: ["/proc/self/status"], as: nobody });

    const { uid, gid } = nobody;
    expect(status).toMatch(new RegExp(`^Uid:\\t${uid}\\t${uid}\\t${uid}\\t${uid}$`, "m"));
    expect(status).toMatch(new RegExp(`^Gid:\\t${gid}\\t${gid}\\t${gid}\\t${gid}$`, "m"));
    expect(status).toMatch(/^Groups:\t *$/m);
    expect(status).toMatch(/^CapEff:\t0+$/m);
  });

  it.runIf(system.isRoot)(
    "stands in no folder that the user may not enter: the name that leads there may be the user's own",
    async () => {
      const folder = temporaryFolder();
      chmodSync(folder, 0o755);
      const [closed, link] = [join(folder, "closed"), join(folder, "link")];
      mkdirSync(join(closed, "within"), { recursive: true });
      chmodSync(closed, 0o700);
      writeFileSync(join(closed, "within", "file"), "somebody else's");
      symlinkSync(join(closed, "within"), link);
      const nobody = (await findIdentity(system, "nobody"))!;
      const box = { processes: 100, memory: 2 ** 40, fileSize: 2 ** 20, openFiles: 100 };

      for (const how of [{}, { box }, { limits: { memory: 2 ** 30, seconds: 10 } }]) {
        const command = { file: "cat", args: ["file"], cwd: link, as: nobody, ...how };
        await expect(system.run(command)).rejects.toThrow("Permission denied");
      }
      expect(await system.run({ file: "pwd", args: [], cwd: folder, as: nobody })).toBe(
        `${folder}\n`,
      );
    },
  );

  it("is stopped at its deadline as well", async () => {
    const pidFile = join(temporaryFolder(), "pid");

    const error = await failureOf({
      ...sh('echo $$ > "$1"; exec sleep 60', pidFile),
      as,
      deadline: 2000,
    });

    expect(error.timedOut).toBe(true);
    const stopped = Number(readFileSync(pidFile, "utf8"));
    expect(await waitFor(async () => !(await findProcess(stopped)), { within: 5000 })).toBe(true);
  });
});

describe("system users", () => {
  it("are found by name, and a missing one is nobody", async () => {
    expect(await findIdentity(system, "root")).toEqual({ name: "root", uid: 0, gid: 0 });
    expect(await findIdentity(system, "no-such-user-of-reeve")).toBeUndefined();
  });

  it("are made where they are missing: without a shell, a home or a password", async () => {
    const missing = new RecordingSystem().failing("getent", "", 2);

    await expect(ensureIdentity(missing, "reeve")).rejects.toThrow("useradd made no user reeve");

    expect(missing.lines[1]).toBe(
      "flock --close /etc/.pwd.lock useradd --system --user-group --no-create-home --home-dir /nonexistent --shell /usr/sbin/nologin -- reeve",
    );
  });

  it("are left as they are where they are there", async () => {
    const there = new RecordingSystem().answering("getent", "reeve:x:999:995::/:/bin/sh\n");

    expect(await ensureIdentity(there, "reeve")).toEqual({ name: "reeve", uid: 999, gid: 995 });

    expect(there.lines).toEqual(["getent passwd reeve"]);
  });

  it("are not taken for missing where nobody could be asked", async () => {
    const broken = new RecordingSystem().failing("getent", "no such database", 1);

    await expect(ensureIdentity(broken, "reeve")).rejects.toBeInstanceOf(CommandFailed);

    expect(broken.lines).toEqual(["getent passwd reeve"]);
  });

  it("include the one that reeve runs as", () => {
    expect(ownIdentity()).toMatchObject({ uid: process.getuid?.(), gid: process.getgid?.() });
  });
});
