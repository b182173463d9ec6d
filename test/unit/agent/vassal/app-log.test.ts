import { appendFileSync, readFileSync, statSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { streamLog } from "../../../../src/agent/verbs/app-log-stream.ts";
import {
  lengthOfLog,
  logSince,
  mergeLogs,
  reasonOfFailure,
  tailOfLog,
  untilStarted,
} from "../../../../src/agent/vassal/app-log.ts";
import { waitFor } from "../../../../src/system/clock.ts";
import { temporaryFolder } from "../../../support/unit-folder.ts";

describe("that a vassal has started", () => {
  const started = "WSGI app 0 ready in 1 seconds\nreeve: started\n";

  it("is read from its log as soon as it says so", async () => {
    const log = join(temporaryFolder(), "demo.next-1.log");
    const { signal } = new AbortController();
    writeFileSync(log, "*** Starting uWSGI ***\n");

    const told = untilStarted(log, 0, signal);
    appendFileSync(log, started);

    expect(await told).toBe(true);
  });

  it("is not what it said at a start before", async () => {
    const log = join(temporaryFolder(), "demo.log");
    writeFileSync(log, started);

    expect(await untilStarted(log, started.length, AbortSignal.abort())).toBe(false);
  });

  it("is not known of one that says nothing until it is over", async () => {
    const log = join(temporaryFolder(), "demo.next-1.log");

    expect(await untilStarted(log, 0, AbortSignal.timeout(20))).toBe(false);
  });
});

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

  it.each([
    ["its heading", 1],
    ["where it happened", 3],
  ])("is the one before where the last has only %s yet", (_, written) => {
    const words = [
      "Traceback (most recent call last):",
      '  File "app.py", line 3, in app',
      "    1 / 0",
      "ZeroDivisionError: division by zero",
    ];

    expect(reasonOfFailure(bootLog(...words, ...words.slice(0, written)))).toEqual(words);
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

  const frames = ['  File "/srv/demo/app/app.py", line 4, in app', '    open("x.html")'];
  const traceback = ["Traceback (most recent call last):", ...frames];
  const missing = "FileNotFoundError: [Errno 2] No such file or directory: 'x.html'";
  const answered = [
    "WSGI app 0 (mountpoint='') ready in 0 seconds on interpreter 0x7fa3cb560018 pid: 9263 (default app)",
    "*** uWSGI is running in multiple interpreter mode ***",
    "spawned uWSGI master process (pid: 9263)",
    "spawned uWSGI worker 1 (pid: 9274, cores: 1)",
  ];
  const after = [
    'running "print:reeve: started" (accepting1-once)...',
    "reeve: started",
    "[pid: 9274|app: 0|req: 1/1] 127.0.0.1 () {28 vars in 318 bytes} [Sat Nov 28 23:45:23 2026] GET / => generated 0 bytes in 12 msecs (HTTP/1.1 500) 0 headers in 0",
    "announcing my loyalty to the Emperor...",
    "Sat Nov 28 23:45:24 2026 - received message 0 from emperor",
    'running "callret:gracefully_kill_them_all" (emperor-stop)...',
    "Sat Nov 28 23:45:24 2026 - graceful shutdown triggered...",
    "Gracefully killing worker 1 (pid: 9274)...",
    "worker 2 buried after 0 seconds",
    "Respawned uWSGI worker 1 (new pid: 9280)",
    "SIGPIPE: writing to a closed pipe/socket/fd (probably the client disconnected) on request / (ip 127.0.0.1) !!!",
    "uwsgi_response_write_body_do(): Broken pipe [core/writer.c line 341] during GET / (127.0.0.1)",
    "OSError: write error",
    "goodbye to uWSGI.",
  ];
  const cause = "The above exception was the direct cause of the following exception:";
  const during = "During handling of the above exception, another exception occurred:";
  const others = Array.from({ length: 100 }, (_, at) => `line ${at}`);
  const group = [
    "  + Exception Group Traceback (most recent call last):",
    '  |   File "/srv/demo/app/app.py", line 4, in app',
    "  | ExceptionGroup: two (1 sub-exception)",
    "  +-+---------------- 1 ----------------",
    "    | FileNotFoundError: x.html",
    "    +------------------------------------",
  ];

  it.each<[string, string[], string[]]>([
    ["a traceback", [...traceback, missing], [...traceback, missing]],
    [
      "one into which uWSGI has written",
      [traceback[0]!, ...after.slice(0, 2), ...frames, missing],
      [...traceback, missing],
    ],
    [
      "one behind a logger's words",
      ["ERROR in app: Exception on / [GET]", ...traceback, missing],
      [...traceback, missing],
    ],
    [
      "those that led to it",
      [...traceback, missing, "", cause, "", ...traceback, "RuntimeError: no page"],
      [...traceback, missing, cause, ...traceback, "RuntimeError: no page"],
    ],
    [
      "those in whose midst it came",
      ["before", ...traceback, missing, during, ...traceback, "A: 1", during, ...traceback, "B: 2"],
      [...traceback, missing, during, ...traceback, "A: 1", during, ...traceback, "B: 2"],
    ],
    [
      "no earlier one that has nothing to do with it",
      [...traceback, "ValueError: before", ...traceback, missing],
      [...traceback, missing],
    ],
    ["that of a group", group, group],
    [
      "one whose message has the words of another",
      [...traceback, "ValueError: a", traceback[0]!, "b"],
      [...traceback, "ValueError: a", traceback[0]!, "b"],
    ],
    [
      "one before many lines of the app's",
      [...traceback, missing, ...others],
      [...traceback, missing, ...others.slice(0, 8)],
    ],
    ["what it printed at its end", ["I will not"], ["I will not"]],
    [
      "uWSGI's own word where there is no other",
      ["DAMN ! worker 1 (pid: 9274) died, killed by signal 9 :( trying respawn ..."],
      ["DAMN ! worker 1 (pid: 9274) died, killed by signal 9 :( trying respawn ..."],
    ],
    ["nothing where it said nothing", [], []],
  ])("is, whatever uWSGI writes behind it, %s", (_, words, reason) => {
    const log = [...bootLog().slice(0, -1), ...answered, ...words, ...after];

    expect(reasonOfFailure(log)).toEqual(reason);
  });

  it("is how a long line begins and ends", () => {
    const log = bootLog(...traceback, `ValueError: ${"x".repeat(200_000)}end`);

    expect(reasonOfFailure(log).at(-1)).toMatch(/^ValueError: x+ \(\d+ characters\) x+end$/);
    expect(reasonOfFailure(log).at(-1)!.length).toBeLessThan(600);
  });

  it("has nothing in it of a worker that begins in the midst of a long line", () => {
    const log = [
      "Traceback (most recent call last):",
      '  File "app.py", line 2, in app',
      `ValueError: ${"x".repeat(300)}running "print:reeve: started" (accepting1-once)...`,
    ];
    expect(reasonOfFailure(log).at(-1)).toBe(`ValueError: ${"x".repeat(300)}`);
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

    expect(await tailOfLog(path, { lines: 2 })).toEqual(["two", "three"]);
  });

  it("is read from the end, however long the log is", async () => {
    const path = join(temporaryFolder(), "demo.log");
    writeFileSync(path, `${"x".repeat(10_000_000)}\nthe end\n`);

    const lines = await tailOfLog(path, { lines: 1000 });

    expect(lines.at(-1)).toBe("the end");
    expect(lines.join("").length).toBeLessThanOrEqual(64 * 1024);
  });

  it("is what came to it since it had a length, unless it was emptied", async () => {
    const path = join(temporaryFolder(), "demo.log");
    writeFileSync(path, "before\n");
    const before = await lengthOfLog(path);
    writeFileSync(path, "before\nafter\n");

    expect(await logSince(path, before)).toEqual(["after"]);
    expect(await logSince(path, 1000)).toEqual(["before", "after"]);
  });

  it("is not that of a file which the app has led the log's name to", async () => {
    const folder = temporaryFolder();
    writeFileSync(join(folder, "secret"), "secret\n");
    symlinkSync("secret", join(folder, "demo.log"));

    expect(await tailOfLog(join(folder, "demo.log"), { lines: 10 })).toEqual([]);
    expect(readFileSync(join(folder, "demo.log"), "utf8")).toBe("secret\n");
  });

  describe("of which an understudy's is added to it", () => {
    /** So long that to add it takes many turns, in lines that tell their place; the end of it is what is shown. */
    const length = 60_000;
    const lines = Array.from({ length }, (_, at) => `line ${String(at).padStart(8, "0")} of it`);

    it.each<
      [string, (merge: () => Promise<void>, read: () => Promise<void>, log: string) => unknown]
    >([
      ["when that begins behind the reading", (merge, read) => Promise.all([read(), merge()])],
      ["when that has just begun", (merge, read) => Promise.all([merge(), read()])],
      [
        "when the first of it is there",
        async (merge, read, log) => {
          const merging = merge();
          await waitFor(() => Promise.resolve(statSync(log).size > 0), {
            within: 20_000,
            every: 0,
          });
          expect(statSync(log).size).toBeLessThan(lines.join("\n").length);
          await Promise.all([read(), merging]);
        },
      ],
      ["when all of it is there", (merge, read) => merge().then(read)],
    ])("is read as one, each line once: %s", async (_, inOrder) => {
      const folder = temporaryFolder();
      const [log, own] = [join(folder, "demo.log"), join(folder, "demo.next-1.log")];
      writeFileSync(log, "");
      writeFileSync(own, `${lines.join("\n")}\n`);
      const said: string[] = [];
      const request = { log, understudies: [own], lines: 10_000, follow: false };
      const gone = new AbortController().signal;

      await inOrder(
        () => mergeLogs(own, log),
        () => streamLog({ ...request, say: (line) => said.push(line), gone }),
        log,
      );

      // The first one may have been cut.
      const whole = said.filter((line) => line !== "").slice(1);
      expect(whole.length).toBeGreaterThan(1000);
      expect(whole).toEqual(lines.slice(-whole.length));
    });
  });

  it("goes on, where it is followed, with what came behind it", async () => {
    const log = join(temporaryFolder(), "demo.log");
    writeFileSync(log, "one\n");
    const said: string[] = [];
    const over = new AbortController();

    await streamLog({
      ...{ log, understudies: [], lines: 10, follow: true, gone: over.signal },
      say: (line) => {
        said.push(line);
        // Before anything is followed.
        if (line === "one") appendFileSync(log, "two\n");
        else over.abort();
      },
    });

    expect(said).toEqual(["one", "two"]);
  });

  it("is nothing where there is no log yet", async () => {
    expect(await tailOfLog(join(temporaryFolder(), "demo.log"), { lines: 10 })).toEqual([]);
  });
});
