import {
  chownSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { execa } from "execa";
import { afterAll, expect, it } from "vitest";
import { printTable } from "../../bench/table.ts";
import { projectRoot, TestServer } from "../support/server.ts";
import { makeAdapter } from "./adapter.ts";
import { parseDeviations, parseResults, titlesOf, unexpected } from "./results.ts";

/** What `npm run test:git` has made: git's tests, and the tool that they need. */
const suite = process.env["GIT_SUITE"] ?? "";
/** git's tests of HTTP refuse to run as root. */
const nobody = 65534;
const user = process.getuid?.() === 0 ? { uid: nobody, gid: nobody } : undefined;
/** The one user that they know (t/lib-httpd/passwd). */
const [name, token] = ["user@host", "pass@host"];
/** Seconds: a client of git's waits for ever for a server that owes it something. */
const longest = "600";

const deviations = parseDeviations(readFileSync(join(projectRoot, "docs/git-suite.md"), "utf8"));
const rows: [script: string, ...counts: number[]][] = [];
afterAll(() => printTable(["script", "passed", "failed", "of them named", "skipped"], rows));

const scripts = "t5541 t5551 t5545 t5539 t5702 t5542 t5548 t5549 t5561".split(" ");

it.each(scripts)("%s fails where docs/git-suite.md says so, and nowhere else", async (script) => {
  const folder = mkdtempSync(join(tmpdir(), "reeve-git-"));
  const results = parseResults(await run(script, folder));

  const named = deviations.filter((one) => one.script === script);
  const wrong = unexpected(results, named);
  const [passed, failed, skipped] = (["passed", "failed", "skipped"] as const).map(
    (outcome) => titlesOf(results, outcome).length,
  ) as [number, number, number];
  rows.push([script, passed, failed, failed - wrong.failed.length, skipped]);

  const log = join(folder, "test-results");
  expect(wrong, `what they said is in ${log}`).toEqual({ failed: [], passed: [] });
  rmSync(folder, { recursive: true });
});

/** Runs a script against a server of its own, in a folder that is there to be looked at when it fails. */
async function run(script: string, folder: string): Promise<string> {
  const file = readdirSync(join(suite, "t")).find((found) => found.startsWith(`${script}-`)) ?? "";
  const server = await startServer();
  const repositories = server.path("lib/repositories");
  const adapter = makeAdapter({
    port: server.port,
    repositories,
    credentials: `${name}:${token}`,
    httpd: join(folder, `trash directory.${file.replace(/\.sh$/, "")}`, "httpd"),
    user,
  });
  await new Promise<void>((resolve) => adapter.listen(0, "127.0.0.1", resolve));
  if (user) chownSync(folder, user.uid, user.gid);
  try {
    const { stdout } = await execa("timeout", [longest, "sh", `./${file}`, "--verbose-log"], {
      cwd: join(suite, "t"),
      extendEnv: false,
      env: {
        PATH: process.env["PATH"],
        // Not a git of its own, but Debian's.
        GIT_TEST_INSTALLED: "/usr/bin",
        // Not to be left out because of something that is missing.
        GIT_TEST_HTTPD: "true",
        TEST_OUTPUT_DIRECTORY: folder,
        LIB_HTTPD_PATH: join(projectRoot, "test/git/httpd"),
        LIB_HTTPD_MODULE_PATH: "/nonexistent",
        LIB_HTTPD_PORT: String((adapter.address() as AddressInfo).port),
        REEVE_REPOSITORIES: repositories,
      },
      reject: false,
      ...user,
    });
    return stdout;
  } finally {
    adapter.close();
    await server.remove();
  }
}

/** The whole server, but that its git asks the hooks of a repository, which are the tests', and not reeve's. */
async function startServer(): Promise<TestServer> {
  const home = mkdtempSync(join(tmpdir(), "reeve-"));
  const state = join(home, "lib");
  const front = join(state, "front");
  mkdirSync(front, { recursive: true });
  writeFileSync(join(front, "token"), `${token}\n`, { mode: 0o600 });
  for (const path of [state, front, join(front, "token")])
    if (user) chownSync(path, user.uid, user.gid);
  const server = await TestServer.start([], {
    home,
    uv: false,
    ...(user ? { user: user.uid } : {}),
  });
  const configuration = server.read("etc/git.conf");
  await server.write("etc/git.conf", configuration.replace(/hooksPath = .*/, "hooksPath = hooks"));
  return server;
}
