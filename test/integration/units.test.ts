import { spawnSync } from "node:child_process";
import { readdirSync, readFileSync, rmSync } from "node:fs";
import { dirname, join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { embeddedLayout } from "../../src/config/layout.ts";
import { plainApp } from "../support/apps.ts";
import { eventually, projectRoot } from "../support/server.ts";
import { canRunSystemd, copyUnits, Systemd, unitFolder } from "../support/systemd.ts";

const units = readdirSync(unitFolder);
const layout = embeddedLayout("/var/lib/reeve");

function unit(name: string): string {
  return readFileSync(join(unitFolder, `reeve-${name}.service`), "utf8");
}

/** The values of a setting, which may stand in several lines. */
function valuesOf(text: string, setting: string): string[] {
  const lines = text.split("\n").filter((line) => line.startsWith(`${setting}=`));
  return lines.flatMap((line) => line.slice(setting.length + 1).split(" ")).filter(Boolean);
}

function analyze(...words: string[]): { status: number | null; output: string } {
  const { status, stdout, stderr } = spawnSync("systemd-analyze", words, { encoding: "utf8" });
  return { status, output: stdout + stderr };
}

describe("the units", () => {
  it("are right to systemd, each with what it needs", () => {
    const folder = copyUnits();

    const { status, output } = analyze(
      "verify",
      "--man=no",
      ...units.map((name) => join(folder, name)),
    );

    rmSync(folder, { recursive: true, force: true });
    expect(output).toBe("");
    expect(status).toBe(0);
  });

  // Of 10, as `systemd-analyze security` weighs what a service could do.
  it.each([
    ["front", 1],
    ["agent", 4.7],
    ["emperor", 6.1],
    ["nginx", 3.1],
  ])("leave the %s an exposure of less than %d", (name, most) => {
    const words = ["security", "--offline=true", `--threshold=${Math.round(most * 10)}`];

    const { status, output } = analyze(...words, join(unitFolder, `reeve-${name}.service`));

    expect(Number(/exposure level for \S+: (\d+\.\d)/.exec(output)?.[1])).toBeLessThan(most);
    expect(status, output).toBe(0);
  });

  it("say why the agent has each right of root's that it has", () => {
    const text = unit("agent");
    const rights = valuesOf(text, "CapabilityBoundingSet").map((right) => right.slice(4));
    const reasons = text.split("\n").filter((line) => /^# [A-Z_, ]+(and [A-Z_]+)?:/.test(line));
    const explained = reasons.flatMap((line) => line.split(":")[0]?.match(/[A-Z_]+/g) ?? []);

    expect(rights.length).toBeGreaterThan(0);
    expect(explained.sort()).toEqual(rights.sort());
  });

  it("let each write where it has to, by the layout of the disk, and nowhere else", () => {
    const temporary = ["/tmp", "/var/tmp"];
    const writable = (name: string): string[] => valuesOf(unit(name), "ReadWritePaths").sort();

    expect(writable("front")).toEqual(
      [
        layout.repositories,
        layout.frontState,
        dirname(layout.httpSocket),
        dirname(layout.controlSocket),
      ].sort(),
    );
    expect(writable("agent")).toEqual([layout.home, "/etc", ...temporary].sort());
    expect(writable("emperor")).toEqual(
      [layout.srv, layout.run, layout.log, layout.pauses, ...temporary].sort(),
    );
    expect(writable("nginx")).toEqual([layout.run, layout.log, join(layout.state, "nginx")].sort());
  });

  it("name the files of the layout", () => {
    expect(valuesOf(unit("front"), "EnvironmentFile")).toEqual([layout.frontVariables]);
    expect(unit("emperor")).toContain(`--ini ${layout.emperorIni}\n`);
    expect(unit("emperor")).toContain(`rm -f ${layout.emperorPid}\n`);
    expect(unit("nginx")).toContain(`-p ${layout.nginx} -c ${layout.nginxConfiguration}\n`);
    expect(unit("nginx")).toContain(`rm -f ${layout.nginxPid}\n`);
    for (const name of ["prepare", "agent", "front"])
      expect(unit(name)).toContain(`main.js ${name} --home ${layout.home}\n`);
  });
});

/** The lines of docs/units.md that lead git to the server there. */
const [, manual = ""] =
  /^```sh\n(.*?)^git push deploy main\n```$/ms.exec(
    readFileSync(join(projectRoot, "docs/units.md"), "utf8"),
  ) ?? [];

/** Pushes from that machine its first argument as app.py; the second leads git to the server. */
const push = `
set -e
export HOME=/tmp GIT_AUTHOR_NAME=Ada GIT_AUTHOR_EMAIL=a@example.org GIT_TERMINAL_PROMPT=0
export GIT_COMMITTER_NAME=Ada GIT_COMMITTER_EMAIL=a@example.org
if [ ! -d /tmp/work ]; then
	git init --quiet --initial-branch=main /tmp/work
	cd /tmp/work
	eval "$2"
fi
cd /tmp/work
printf %s "$1" >app.py
git add app.py
git commit --quiet --allow-empty --message Change
exec git push deploy HEAD:main 2>&1
`;

describe.runIf(canRunSystemd())("a machine whose systemd runs the units", () => {
  let systemd: Systemd;

  beforeAll(async () => {
    systemd = await Systemd.start();
    const names = units.map((name) => name.replace(".service", ""));
    const started = systemd.run("systemctl", "start", ...names);
    expect(started.exitCode, started.output).toBe(0);
  });
  afterAll(() => systemd.remove());

  const deploy = (text: string): string => {
    const pushed = systemd.run("sh", "-c", push, "sh", plainApp(text)["app.py"] ?? "", manual);
    expect(pushed.exitCode, pushed.output).toBe(0);
    return pushed.output;
  };
  const page = (): string =>
    systemd.run(
      ...["curl", "--silent", "--noproxy", "*", "--header", "Host: demo.localhost:8080"],
      "http://127.0.0.1:8080/",
    ).output;
  const status = (service: string): string =>
    systemd.run("cat", `/proc/${systemd.pidOf(service)}/status`).output;
  const apps = (...words: string[]): string =>
    systemd.run("env", `REEVE_HOME=${layout.home}`, "/opt/reeve/dist/main.js", ...words).output;
  const settled = (): Promise<void> => eventually(() => /demo +live /.test(apps("apps")), 60_000);

  it("puts an app on the air, and the next release of it, and a rollback", async () => {
    expect(deploy("one")).toContain("live ");
    expect(page()).toBe("one");
    expect(deploy("two")).toContain("live ");
    expect(page()).toBe("two");
    await settled();
    expect(apps("rollback", "demo")).toContain("live ");
    expect(page()).toBe("one");
  });

  it("gives each vassal a control group below the Emperor's, which limits it and ends with it", async () => {
    await settled();
    const groups = "/sys/fs/cgroup/system.slice/reeve-emperor.service";
    const list = (folder: string): string[] =>
      systemd
        .run("ls", "-1", folder)
        .output.split("\n")
        .filter((name) => !name.includes("."));

    expect(list(`${groups}/vassals/demo`).filter(Boolean)).toEqual(["demo"]);
    const inside = systemd.run("cat", `${groups}/vassals/demo/demo/cgroup.procs`).output;
    expect(inside.trim().split("\n").length).toBeGreaterThan(2);
    expect(systemd.run("cat", `${groups}/emperor/cgroup.procs`).output.trim()).toBe(
      String(systemd.pidOf("reeve-emperor")),
    );
  });

  it("runs the front as reeve, without a right and without a network", () => {
    const front = status("reeve-front");
    const uid = systemd.run("id", "-u", "reeve").output.trim();

    expect(front).toMatch(new RegExp(`^Uid:(\\s+${uid}){4}$`, "m"));
    expect(front).toMatch(/^CapEff:\s+0+$/m);
    expect(front).toMatch(/^CapBnd:\s+0+$/m);
    expect(front).toMatch(/^NoNewPrivs:\s+1$/m);
    expect(front).toMatch(/^Seccomp:\s+2$/m);
    const interfaces = systemd.runBeside("reeve-front", "cat", "/proc/self/net/dev").output;
    expect(interfaces.match(/^ *\w+:/gm)?.map((name) => name.trim())).toEqual(["lo:"]);
    expect(interfaces).not.toBe(systemd.run("cat", "/proc/net/dev").output);
  });

  it.each([
    ["front", "/etc"],
    ["front", "/usr"],
    ["front", layout.home],
    ["front", layout.srv],
    ["front", layout.vassals],
    ["front", layout.agentState],
    ["agent", "/usr"],
    ["agent", "/opt/reeve"],
    ["emperor", "/etc"],
    ["emperor", layout.vassals],
    ["nginx", layout.nginx],
    ["nginx", layout.srv],
  ])("shows the %s a %s that not even root could write to", (name, folder) => {
    const touched = systemd.runBeside(`reeve-${name}`, "touch", join(folder, "x"));

    expect(touched.output).toContain("Read-only file system");
  });

  it("serves apps while reeve's halves are away, and pushes when they are back", async () => {
    await settled();
    systemd.run("systemctl", "stop", "reeve-front", "reeve-agent");

    expect(page()).toBe("one");

    systemd.run("systemctl", "start", "reeve-agent", "reeve-front");
    await settled();
    deploy("three");
    expect(page()).toBe("three");
  });

  it.each(["agent", "front", "emperor", "nginx"])(
    "starts the %s again when it was killed",
    async (name) => {
      await settled();
      const killed = systemd.pidOf(`reeve-${name}`);

      systemd.run("kill", "-KILL", String(killed));

      await eventually(() => ![0, killed].includes(systemd.pidOf(`reeve-${name}`)), 20_000);
      await expect.poll(page, { timeout: 20_000 }).toBe("three");
      await settled();
      expect(deploy("three")).toContain("live ");
    },
  );

  it("brings the apps back after a reboot, though nothing of reeve's starts", async () => {
    await settled();
    systemd.run("systemctl", "stop", ...units);
    // What a machine that lost its power finds: numbers of processes that are others' by now.
    for (const file of [layout.emperorPid, layout.nginxPid])
      systemd.run("sh", "-c", `echo 1 >${file}`);

    systemd.run("systemctl", "start", "reeve-emperor", "reeve-nginx");

    await expect.poll(page, { timeout: 20_000 }).toBe("three");
    expect(systemd.run("systemctl", "is-active", "reeve-agent", "reeve-front").output).toBe(
      "inactive\ninactive\n",
    );
  });

  it("takes an app off it again, with its users", () => {
    systemd.run("systemctl", "start", ...units);

    expect(apps("destroy", "demo", "--yes")).toContain("demo is gone");

    const users = systemd.run("getent", "passwd").output.split("\n");
    const left = users.filter((line) => line.includes(`(reeve in ${layout.home})`));
    expect(left.filter((line) => !/:build \d+ \(reeve/.test(line))).toEqual([]);
    expect(systemd.run("systemctl", "is-failed", ...units).output).not.toContain("failed");
  });
});
