import { readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { reasonOfFailure, tailOfLog } from "../../../src/vassal/app-log.ts";
import { temporaryFolder } from "../../support/unit-folder.ts";

/** uWSGI 2.0.21 of Debian 12, to the letter, with the end of a boot in place of the last line. */
function bootLog(...end: string[]): string[] {
  return [
    "[uWSGI] getting INI configuration from demo.next-1.ini",
    "*** Starting uWSGI 2.0.21-debian (64bit) on [Mon Nov 23 22:33:18 2026] ***",
    "compiled with version: 12.2.0 on 19 May 2023 13:59:29",
    "os: Linux-6.18.44 #1 SMP PREEMPT_DYNAMIC @0",
    "nodename: vm",
    "machine: x86_64",
    "clock source: unix",
    "pcre jit disabled",
    "detected number of CPU cores: 2",
    "current working directory: /srv/reeve/etc/vassals",
    "detected binary path: /usr/bin/uwsgi-core",
    "chdir() to /srv/demo/releases/3f2a91c",
    "your processes number limit is 96365",
    "your memory page size is 4096 bytes",
    "detected max file descriptor number: 20000",
    "lock engine: pthread robust mutexes",
    "thunder lock: disabled (you can enable it with --thunder-lock)",
    "uwsgi socket 0 bound to UNIX address /srv/reeve/run/sockets/demo.next-1.sock fd 3",
    "setgid() to 994",
    "setuid() to 995",
    "Python version: 3.11.2 (main, Apr 28 2025, 14:11:48) [GCC 12.2.0]",
    "PEP 405 virtualenv detected: /srv/demo/envs/0123456789abcdef",
    "Set PythonHome to /srv/demo/envs/0123456789abcdef",
    "Python main interpreter initialized at 0x7fbf8ed60018",
    "python threads support enabled",
    "your server socket listen backlog is limited to 100 connections",
    "your mercy for graceful operations on workers is 60 seconds",
    "mapped 304776 bytes (297 KB) for 2 cores",
    "*** Operational MODE: preforking ***",
    ...end,
    "*** no app loaded. GAME OVER ***",
  ];
}

const notLoaded = "unable to load app 0 (mountpoint='') (callable not found or import error)";

describe("why an app did not start", () => {
  it("is its traceback, and none of uWSGI's words around it", () => {
    const log = bootLog(
      "Traceback (most recent call last):",
      '  File "/srv/demo/app/app.py", line 1, in <module>',
      "    import bottle",
      "ModuleNotFoundError: No module named 'bottle'",
      notLoaded,
    );

    expect(reasonOfFailure(log)).toEqual([
      "Traceback (most recent call last):",
      '  File "/srv/demo/app/app.py", line 1, in <module>',
      "    import bottle",
      "ModuleNotFoundError: No module named 'bottle'",
    ]);
  });

  it.each([
    ["a module that is not there", ["ModuleNotFoundError: No module named 'nosuch'", notLoaded]],
    [
      "a mistake in the syntax",
      [
        '  File "/srv/demo/app/app.py", line 1',
        "    def app(:",
        "            ^",
        "SyntaxError: invalid syntax",
        notLoaded,
      ],
    ],
    ["a callable that is missing", [notLoaded]],
  ])("is told without a traceback as well: %s", (_, words) => {
    expect(reasonOfFailure(bootLog(...words))).toEqual(words);
  });

  it("is the last of several tracebacks", () => {
    const log = bootLog(
      "Traceback (most recent call last):",
      "ValueError: the first",
      "Traceback (most recent call last):",
      "ValueError: the last",
    );

    expect(reasonOfFailure(log)).toEqual([
      "Traceback (most recent call last):",
      "ValueError: the last",
    ]);
  });

  it("is told once, however often the Emperor has tried", () => {
    const boot = bootLog("Traceback (most recent call last):", "ValueError: no", notLoaded);

    expect(reasonOfFailure([...boot, ...boot, ...boot])).toEqual([
      "Traceback (most recent call last):",
      "ValueError: no",
    ]);
  });

  it("is what the app printed itself where it raised nothing", () => {
    const log = bootLog("out of beer", "", "  and of wine");

    expect(reasonOfFailure(log)).toEqual(["out of beer", "  and of wine"]);
  });

  it("is no more than its last forty lines", () => {
    const deep = Array.from({ length: 100 }, (_, line) => `  line ${line}`);

    const reason = reasonOfFailure(bootLog("Traceback (most recent call last):", ...deep));

    expect(reason).toEqual(deep.slice(-40));
  });

  it("may be unknown", () => {
    expect(reasonOfFailure([])).toEqual([]);
    expect(reasonOfFailure(bootLog())).toEqual([]);
  });
});

describe("the end of an app's log", () => {
  it("is so many lines, fit for a terminal", async () => {
    const path = join(temporaryFolder(), "demo.log");
    writeFileSync(path, "one\ntwo\n\u001b[31mthr\ree\u001b[0m\n\n");

    expect(await tailOfLog(path, 2)).toEqual(["two", "three"]);
  });

  it("is read from the end, however long the log is", async () => {
    const path = join(temporaryFolder(), "demo.log");
    writeFileSync(path, `${"x".repeat(10_000_000)}\nthe end\n`);

    const lines = await tailOfLog(path, 1000);

    expect(lines.at(-1)).toBe("the end");
    expect(lines.join("").length).toBeLessThanOrEqual(64 * 1024);
  });

  it("is not that of a file which the app has led the log's name to", async () => {
    const folder = temporaryFolder();
    writeFileSync(join(folder, "secret"), "secret\n");
    symlinkSync("secret", join(folder, "demo.log"));

    expect(await tailOfLog(join(folder, "demo.log"), 10)).toEqual([]);
    expect(readFileSync(join(folder, "demo.log"), "utf8")).toBe("secret\n");
  });

  it("is nothing where there is no log yet", async () => {
    expect(await tailOfLog(join(temporaryFolder(), "demo.log"), 10)).toEqual([]);
  });
});
