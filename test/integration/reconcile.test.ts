import { execFileSync } from "node:child_process";
import {
  existsSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  renameSync,
  rmSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { beforeAll, describe, expect, it } from "vitest";
import { askHeld, holdingApp, plainApp, slowPackage } from "../support/apps.ts";
import { eventually } from "../support/server.ts";
import { processesUnder } from "../support/processes.ts";
import { Visitors } from "../support/visitors.ts";
import { withApp, withServer } from "../support/with-server.ts";

const isEnvironment = (name: string): boolean => /^[0-9a-f]{16}$/.test(name);

describe("what differs from the record", () => {
  const server = withServer();
  const workspace = withApp(server, "demo", {
    ...plainApp("one"),
    "slowly.py": "import time\ntime.sleep(3)\nfrom app import app\n",
  });
  let commit: string;

  beforeAll(async () => {
    ({ commit } = await workspace.deploy(plainApp("two")));
    await server.settled("demo");
  });

  const srv = (...parts: string[]): string => server.path("srv/demo", ...parts);

  it("is nothing when all is well, and then nothing is done", async () => {
    for (let time = 0; time < 2; time += 1) {
      const { exitCode, output } = await server.reeve("reconcile");

      expect(output).toBe("everything is as it should be");
      expect(exitCode).toBe(0);
    }
  });

  it.each<[string, () => void, RegExp]>([
    [
      "a release that was removed by hand",
      () => rmSync(srv("releases", commit), { recursive: true }),
      /^demo: release [0-9a-f]{7} checked out again$/m,
    ],
    [
      "an environment that was removed by hand",
      () => rmSync(srv("envs"), { recursive: true }),
      /^demo: environment [0-9a-f]{16} built again$/m,
    ],
    [
      "an environment whose removal was cut off",
      () => writeFileSync(srv("envs", "0123456789abcdef.building"), ""),
      /^demo: environment 0123456789abcdef removed, as nobody needs it$/m,
    ],
    [
      "a link to the code that leads elsewhere",
      () => {
        rmSync(srv("app"));
        symlinkSync("releases/nowhere", srv("app"));
      },
      /^demo: its vassal is brought to [0-9a-f]{7} again$/m,
    ],
    [
      "a vassal's ini that is gone",
      () => rmSync(server.path("etc/vassals/demo.ini")),
      /^demo: its vassal is brought to [0-9a-f]{7} again$/m,
    ],
    [
      "a server block that is gone",
      () => rmSync(server.path("etc/nginx/sites-available/demo.conf")),
      /^demo: vhost made$/m,
    ],
    [
      "nginx's link that leads elsewhere",
      () => {
        rmSync(server.path("lib/links/demo"));
        symlinkSync("/nowhere", server.path("lib/links/demo"));
      },
      /^demo: nginx's link points at the vassal again$/m,
    ],
    [
      "variables whose change was cut off between two renames",
      () => {
        const variables = server.path("etc/apps/demo/variables");
        renameSync(variables, `${variables}.former`);
      },
      /^everything is as it should be$/m,
    ],
    [
      "an understudy of no instance, and a lock that a git left which is no more",
      () => {
        writeFileSync(server.path("etc/vassals/nosuch.next-3.ini"), "[uwsgi]\n");
        writeFileSync(server.path("lib/repositories/demo.git/refs/heads/main.lock"), "");
      },
      /^nosuch\.next-3\.ini: left over, removed\ndemo\.git: refs\/heads\/main\.lock removed$/m,
    ],
    [
      "a file that was half written when everything stopped",
      () => {
        writeFileSync(srv(".staging/.basis.tmp"), "");
        utimesSync(srv(".staging/.basis.tmp"), 1, 1);
      },
      /^\.basis\.tmp: left over, removed$/m,
    ],
  ])("is %s: it is put right, the second time there is nothing to do", async (_, spoil, said) => {
    spoil();

    const { output } = await server.reeve("reconcile");

    expect(output).toMatch(said);
    await eventually(
      async () =>
        (await server.get("demo")).body === "two" &&
        readlinkSync(srv("app")) === `releases/${commit}`,
    );
    await server.settled("demo");
    await eventually(async () => !(await server.command("reconcile", {})));
    expect(readdirSync(server.path("etc/apps/demo"))).toEqual(["variables"]);
  });

  it("is a branch that somebody moved past reeve: what it names is deployed", async () => {
    const first = (await workspace.git("rev-parse", "HEAD~1")).output.trim();
    writeFileSync(server.path("lib/repositories/demo.git/refs/heads/main"), `${first}\n`);

    const { output } = await server.reeve("reconcile");

    expect(output).toContain(`demo: refs/heads/main names ${first.slice(0, 7)}`);
    expect((await server.get("demo")).body).toBe("one");
    await server.settled("demo");
    expect((await server.reeve("reconcile")).output).toBe("everything is as it should be");
  });

  it("is a lock that a git left which died with the agent", async () => {
    const lock = server.path("lib/repositories/demo.git/packed-refs.lock");
    writeFileSync(lock, "");

    process.kill(server.servicePid("agent"), "SIGKILL");

    await eventually(() => !existsSync(lock), 20_000);
    await eventually(() => server.isUp(), 20_000);
  });

  it("is no lock that somebody else makes after a push that went well", async () => {
    const lockOf = (app: string): string =>
      server.path(`lib/repositories/${app}.git/refs/heads/held.lock`);
    const other = await server.workspace("other", { "README.md": "No app\n" });
    await server.reeve("create", "other");
    writeFileSync(lockOf("other"), "");
    await workspace.git("commit", "--quiet", "--allow-empty", "--message", "Again");
    expect((await workspace.push()).exitCode).toBe(0);
    writeFileSync(lockOf("demo"), "");

    // What a push left that was refused goes, in the same round.
    expect((await other.push()).exitCode).toBe(1);
    await eventually(() => !existsSync(lockOf("other")));

    expect(existsSync(lockOf("demo"))).toBe(true);
    rmSync(lockOf("demo"));
    await server.settled("demo");
    await server.reeve("destroy", "other", "--yes");
  });

  it("is a server block that nginx was not told of before the agent fell", async () => {
    const link = server.path("etc/nginx/sites-enabled/demo.conf");
    renameSync(link, `${link}.aside`);
    const [prefix, file] = [server.path("etc/nginx"), server.path("etc/nginx/nginx.conf")];
    execFileSync("nginx", ["-p", prefix, "-c", file, "-s", "reload"]);
    await eventually(async () => (await server.get("demo")).status === 404);
    renameSync(`${link}.aside`, link);

    process.kill(server.servicePid("agent"), "SIGKILL");

    await eventually(async () => (await server.get("demo")).status === 200, 20_000);
    await eventually(() => server.isUp(), 20_000);
  });

  describe("is an understudy that nobody ended", () => {
    const ini = (): string => server.path("etc/vassals/demo.next-99.ini");

    /** As a deploy writes one; its log is what tells of it when the ini is gone. */
    function boot(module = "app:app"): void {
      const permanent = readFileSync(server.path("etc/vassals/demo.ini"), "utf8");
      const socket = server.path("run/sockets/demo.next-99.sock");
      const text = permanent
        .replace(/^http-socket = .*$/m, `http-socket = ${socket}`)
        .replace(/^module = .*$/m, `module = ${module}`)
        .replaceAll("%n", "demo");
      writeFileSync(server.path("log/apps/demo.next-99.log"), "");
      writeFileSync(ini(), text);
    }

    const isGone = (): boolean =>
      !server.runs(/demo\.next-99\.ini/) &&
      !readdirSync(server.path("log/apps")).includes("demo.next-99.log");

    it("because the agent was killed over it, when it held the vassal still", async () => {
      boot();
      await eventually(() => existsSync(server.path("run/sockets/demo.next-99.sock")));
      const running = processesUnder(server.home);
      const master = running.find(({ title }) => title.includes("demo.next-99.ini"));
      process.kill(master!.pid, "SIGSTOP");
      rmSync(ini());

      await server.reeve("reconcile");

      await eventually(isGone, 10_000);
    });

    it("because the Emperor did not answer, and the vassal could not hear a stop yet", async () => {
      const emperor = Number(server.read("run/emperor.pid"));
      boot("slowly:app");
      await eventually(() => server.runs(/demo\.next-99\.ini/));
      process.kill(emperor, "SIGSTOP");

      const reconciled = server.reeve("reconcile");
      await eventually(() => !existsSync(ini()), 20_000);
      process.kill(emperor, "SIGCONT");
      await reconciled;

      await eventually(isGone, 10_000);
    });
  });

  it("is an environment that takes long to build: no other app waits for it at a start", async () => {
    const slow = await server.workspace("slow", { ...plainApp("slow"), ...slowPackage(8) });
    await slow.push();
    await server.settled("slow");
    await server.interrupt();
    rmSync(server.path("srv/slow/envs"), { recursive: true });

    await server.up();

    await eventually(async () => (await server.get("demo")).status === 200, 20_000);
    const complete = readdirSync(server.path("srv/slow/envs")).filter(
      (name, _, all) => isEnvironment(name) && !all.includes(`${name}.building`),
    );
    expect(complete).toEqual([]);
    await eventually(async () => (await server.get("slow")).body === "slow", 60_000);
    await server.reeve("destroy", "slow", "--yes");
  });

  it("is an app whose removal was cut off: it is brought to its end", async () => {
    await (await server.workspace("gone", plainApp("gone"))).push();
    await server.settled("gone");
    const repository = server.path("lib/repositories/gone.git");
    renameSync(repository, `${repository}.aside`);
    await server.reeve("destroy", "gone", "--yes");
    renameSync(`${repository}.aside`, repository);

    expect((await server.reeve("destroy", "gone", "--yes")).exitCode).toBe(0);

    expect(readdirSync(server.path("lib/repositories"))).toEqual(["demo.git"]);
    await eventually(async () => (await server.get("gone")).status === 404);
  });
});

describe("what differs from the record while visitors come", () => {
  const server = withServer([], { visited: true });

  it("is the code of an app whose understudy still finishes a request: no traffic points at it again", async () => {
    const busy = await server.workspace("busy", holdingApp("one"));
    await busy.push();
    await server.settled("busy");
    await busy.deploy(holdingApp("two"));
    const slow = await askHeld(server, "busy");
    const link = server.path("lib/links/busy/socket");
    await eventually(() => readlinkSync(link).endsWith("/busy.sock"), 20_000);
    rmSync(server.path("srv/busy/app"));
    const visitors = new Visitors(server, "busy");
    visitors.come(50, "two");

    const { output } = await server.reeve("reconcile");
    expect(output).toMatch(/^busy: its vassal is brought to/m);
    // It ends by itself.
    expect(output).not.toContain("understudies retired");

    slow.letGo();
    expect(await slow.answer).toMatchObject({ status: 200, body: "two" });
    await server.settled("busy");
    expect(await visitors.leave()).toEqual({ failed: [], stale: [] });
  });
});
