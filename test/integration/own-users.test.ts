import { execFileSync } from "node:child_process";
import { lstatSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import Database from "libsql";
import { beforeAll, describe, expect, it } from "vitest";
import { evaluatingApp } from "../support/apps.ts";
import { systemUsersOf, type TestServer } from "../support/server.ts";
import { withServer, withWorkspace } from "../support/with-server.ts";

const isRoot = process.getuid?.() === 0;
const ownName = "pwd.getpwuid(os.getuid()).pw_name";
/** Counts its visitors in its data, under the name that it runs as. */
const counting = evaluatingApp(
  `${ownName} + ' ' + str(open(os.environ['REEVE_DATA'] + '/n', 'a').write('x') and os.path.getsize(os.environ['REEVE_DATA'] + '/n'))`,
  "import os, pwd",
);

/** What runs as this user; one that is dead and not yet missed by its parent does not. */
function processesOf(uid: number): string[] {
  const listed = execFileSync("ps", ["-eo", "uid=,stat=,args="]).toString().split("\n");
  return listed.filter((line) => new RegExp(`^ *${uid} +[^Z]`).test(line));
}

describe.runIf(isRoot)("with root, an app", () => {
  const server = withServer();
  const demo = withWorkspace(server, "demo", evaluatingApp(ownName, "import os, pwd"));

  beforeAll(async () => {
    await demo.push("main", "main:shop");
    const other = await server.workspace("other", evaluatingApp(ownName, "import os, pwd"));
    await other.push();
    await server.settled("demo");
    await server.tidied();
  });

  it("runs as a system user of its own, and its previews as another", async () => {
    const names = await Promise.all(
      ["demo", "shop--demo", "other"].map(async (name) => (await server.get(name)).body),
    );

    expect(new Set(names).size).toBe(3);
    expect(names[0]).toMatch(/^reeve-demo(-\d+)?$/);
    expect(names[1]).toMatch(/^reeve-demo-preview(-\d+)?$/);
    const ini = server.read("etc/vassals/demo.ini");
    expect(ini).toContain(`uid = ${names[0] ?? ""}\ngid = ${names[0] ?? ""}\n`);
    expect((await server.reeve("show", "demo")).output).toMatch(`user         ${names[0] ?? ""}\n`);
  });

  it("may write its data, and whatever else it has is root's, and closed to the others", () => {
    const front = Number(execFileSync("id", ["-u", "reeve"]));
    const [own, previews] = systemUsersOf(server.home).filter(({ comment }) =>
      comment.includes("demo "),
    );
    const found = execFileSync("find", [server.path("srv/demo"), "-printf", "%P %U %G %m %y\n"]);
    for (const line of found.toString().trim().split("\n")) {
      const [path = "", uid, gid, mode = "", kind] = line.split(" ");
      // The installer's own folder for its caches, and the next checkout, which is git's.
      if (/^(envs\/\.cache|preview-envs\/\.cache|\.staging)/.test(path) || kind === "l") continue;
      const isData = path === "data" || path.startsWith("data/");
      // A checkout's files are git's user's until the next one is laid out: their folder keeps everybody else out.
      const isFile = path.startsWith("releases/") && path.split("/").length > 2;
      const owners = isData ? [own?.uid] : isFile ? [0, front] : [0];
      expect([path, owners.includes(Number(uid))]).toEqual([path, true]);
      expect([path, parseInt(mode, 8) & 0o7002]).toEqual([path, 0]);
      if (!/^(releases|envs|preview-envs)/.test(path)) continue;
      const group = path.startsWith("preview-envs") ? previews?.uid : own?.uid;
      expect([path, Number(gid)]).toEqual([path, group]);
      // Others may neither read nor enter, and the app itself may not write. Builders pass to what they build.
      const isPassed = /^(preview-)?envs$/.test(path);
      const isOuter = /^[a-z-]+$/.test(path) || path.split("/").length === 2;
      const closed = isPassed ? 0o026 : isOuter ? 0o027 : 0o022;
      expect([path, parseInt(mode, 8) & closed]).toEqual([path, 0]);
    }
  });

  it("keeps its name and number when the server starts again", async () => {
    const before = systemUsersOf(server.home);

    await server.interrupt();
    await server.up();

    expect(systemUsersOf(server.home)).toEqual(before);
    expect((await server.get("other")).status).toBe(200);
  });

  it("X21, X22: takes its users with it, their processes and files too, and never gives a number again", async () => {
    const before = systemUsersOf(server.home).filter(({ comment }) => comment.includes("demo "));
    const own = before[0];
    // What an app may leave behind: a process that outlives it, and a file where everybody may write.
    await demo.deploy(
      evaluatingApp(
        "subprocess.Popen(['setsid', 'sleep', '600']).pid and open('/tmp/left-by-' + str(os.getuid()), 'w').write('x')",
        "import os, subprocess",
      ),
    );
    expect((await server.get("demo")).status).toBe(200);

    const { exitCode, output } = await server.reeve("destroy", "demo", "--yes");

    expect(exitCode, output).toBe(0);
    expect(systemUsersOf(server.home).filter(({ comment }) => comment.includes("demo "))).toEqual(
      [],
    );
    expect(before.map(({ uid }) => processesOf(uid))).toEqual([[], []]);
    expect(() => lstatSync(`/tmp/left-by-${own?.uid ?? 0}`)).toThrow("ENOENT");
    await demo.push();
    const after = systemUsersOf(server.home).filter(({ comment }) => comment.includes("demo "));
    expect(after).toHaveLength(2);
    expect(before.map(({ uid }) => uid)).not.toContain(after[0]?.uid);
    expect(before.map(({ uid }) => uid)).not.toContain(after[1]?.uid);
    expect(readdirSync(server.path("srv/demo/data"))).toEqual([]);
  });
});

describe.runIf(isRoot)("a home from when all apps shared one system user", () => {
  const server = withServer();

  beforeAll(async () => {
    for (const name of ["demo", "edited"]) {
      const app = await server.workspace(name, counting);
      await app.push("main", ...(name === "demo" ? ["main:shop"] : []));
      await server.get(name);
    }
    await server.get("shop--demo");
    await server.reeve("create", "empty");
    await server.settled("demo");
    await server.settled("edited");
    await server.asleepAfterPush("shop--demo");
    await server.interrupt();
    makeShared(server);
  });

  it("comes through the next start with everything on the air, each app as itself", async () => {
    await server.up();

    const names = systemUsersOf(server.home);
    expect(names.filter(({ comment }) => !comment.startsWith("build "))).toHaveLength(6);
    for (const [app, name] of [
      ["demo", "reeve-demo"],
      ["edited", "reeve-edited"],
      ["shop--demo", "reeve-demo-preview"],
    ] as const)
      expect((await server.get(app)).body).toMatch(new RegExp(`^${name}(-\\d+)? [2-9]$`));
    expect(server.read("etc/vassals/edited.ini")).toContain("workers = 3");
    const left = execFileSync("find", [
      server.path(),
      "-user",
      "nobody",
      "-o",
      "-group",
      "nogroup",
    ]);
    expect(left.toString()).toBe("");
  });

  it("changes nothing more at the start after that", async () => {
    await server.interrupt();
    const before = server.read("log/agent.log").length;

    await server.up();

    expect(server.read("log/agent.log").slice(before)).not.toContain("reconciled");
  });
});

/** `nobody` stands for the user that all apps had. */
function makeShared(server: TestServer): void {
  const database = new Database(server.path("lib/agent/agent.db"));
  database.exec("DELETE FROM app_user");
  database.close();
  for (const { name, uid } of systemUsersOf(server.home)) {
    const of = ["-h", "--from", String(uid), "nobody"];
    execFileSync("chown", ["-R", ...of, server.path("srv"), server.path("log/apps")]);
    const group = ["-h", "--from", `:${uid}`, ":nogroup"];
    execFileSync("chown", ["-R", ...group, server.path("srv"), server.path("etc")]);
    for (const ini of readdirSync(server.path("etc/vassals"))) {
      const path = server.path("etc/vassals", ini);
      const text = readFileSync(path, "utf8").replaceAll(`id = ${name}\n`, "id = nobody\n");
      writeFileSync(path, text.replace("gid = nobody", "gid = nogroup"));
    }
    execFileSync("userdel", [name]);
  }
  const edited = server.path("etc/vassals/edited.ini");
  writeFileSync(edited, readFileSync(edited, "utf8").replace("workers = 2", "workers = 3"));
}
