import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { existsSync, readFileSync } from "node:fs";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { ControlGroups, ownGroup, parseGroups } from "../../../src/system/control-groups.ts";
import { eventually } from "../../support/server.ts";

const isRoot = process.getuid?.() === 0;

describe("the groups that a process is in", () => {
  it("are found in the one tree of v2", () => {
    const mounts = "cgroup2 /sys/fs/cgroup cgroup2 rw,nosuid 0 0\n";

    expect(parseGroups(mounts, "0::/system.slice/a.service\n")).toEqual([
      { version: 2, folder: "/sys/fs/cgroup/system.slice/a.service", controller: undefined },
    ]);
  });

  it("are found in v2 beside v1, with the controllers that v1 has", () => {
    const mounts = [
      "cgroup /sys/fs/cgroup/cpu,cpuacct cgroup rw,cpu,cpuacct 0 0",
      "cgroup /sys/fs/cgroup/memory cgroup rw,memory 0 0",
      "cgroup /sys/fs/cgroup/pids cgroup rw,pids 0 0",
      "cgroup2 /sys/fs/cgroup/unified cgroup2 rw 0 0",
    ].join("\n");
    const groups = "8:pids:/p\n4:memory:/a:b\n2:cpu,cpuacct:/\n0::/\n";

    expect(parseGroups(mounts, groups)).toEqual([
      { version: 1, folder: "/sys/fs/cgroup/memory/a:b", controller: "memory" },
      { version: 1, folder: "/sys/fs/cgroup/pids/p", controller: "pids" },
      { version: 2, folder: "/sys/fs/cgroup/unified/", controller: undefined },
    ]);
  });
});

describe.runIf(isRoot)("a control group", () => {
  let groups: ControlGroups;
  const children: ChildProcess[] = [];

  beforeEach(async () => {
    groups = await ControlGroups.below(ownGroup(`test ${process.pid}`));
  });
  afterEach(async () => {
    for (const child of children.splice(0)) child.kill("SIGKILL");
    await groups.dissolve();
  });

  /** A shell that waits to be put into a group before it runs the words. */
  async function runIn(name: "git/1", words: string): Promise<number> {
    const child = spawn("sh", ["-c", `read _; ${words}`], { stdio: ["pipe", "pipe", "ignore"] });
    children.push(child);
    await groups.add(name, child.pid ?? 0);
    child.stdin.write("\n");
    await once(child.stdout, "data");
    return child.pid ?? 0;
  }

  it("ends with all that was forked in it, whatever session that went into", async () => {
    await groups.provide("git/1");
    const pid = await runIn(
      "git/1",
      "setsid sh -c 'echo; exec sleep 100' & trap '' TERM HUP; wait; sleep 100",
    );
    expect(await groups.isPopulated("git/1")).toBe(true);

    await groups.end("git/1");

    expect(await groups.isPopulated("git/1")).toBe(false);
    await eventually(() => !existsSync(`/proc/${pid}/exe`));
    expect(existsSync(groups.eventsOf("git/1") ?? "")).toBe(false);
  });

  it("may be ended though it never was", async () => {
    await expect(groups.end("git/none")).resolves.toBeUndefined();
  });

  it("is there as often as it is asked for", async () => {
    await groups.provide("git/1", { processes: 10 });
    await groups.provide("git/1", { processes: 20 });

    expect(await groups.list("git")).toEqual(["1"]);
  });

  it("is announced by a move that moves nobody", async () => {
    const before = readFileSync("/proc/self/cgroup", "utf8");

    groups.announce();
    await groups.provide("git/1");

    await runIn("git/1", "echo; exec sleep 100");
    expect(readFileSync("/proc/self/cgroup", "utf8")).toBe(before);
  });

  it("takes no more memory than it may", async (test) => {
    if (!groups.means.memory) test.skip("this machine has no memory controller");
    await groups.provide("git/1", { memory: 64 * 1024 * 1024 });
    const hog = spawn("sh", ["-c", "read _; exec python3 -c 'len(bytes(b\"x\") * 300_000_000)'"]);
    children.push(hog);
    await groups.add("git/1", hog.pid ?? 0);

    hog.stdin.write("\n");
    const [code, signal] = (await once(hog, "exit")) as [number | null, string | null];

    expect([code, signal]).not.toEqual([0, null]);
  });

  it("holds no more processes than it may", async (test) => {
    if (!groups.means.processes) test.skip("this machine has no pids controller");
    await groups.provide("git/1", { processes: 3 });
    const many = spawn("sh", ["-c", "read _; for n in 1 2 3 4 5; do sleep 100 & done; wait"]);
    children.push(many);
    await groups.add("git/1", many.pid ?? 0);

    many.stdin.write("\n");
    let said = "";
    many.stderr.on("data", (chunk: Buffer) => (said += chunk.toString()));

    await eventually(() => /fork|Resource/.test(said));
  });

  it("stands below the one that this process is in", () => {
    const own = readFileSync("/proc/self/cgroup", "utf8");

    expect(parseGroups(readFileSync("/proc/self/mounts", "utf8"), own)).not.toEqual([]);
    expect(groups.means.kill).toBe(true);
  });
});
