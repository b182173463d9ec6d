import { spawn } from "node:child_process";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it, onTestFinished } from "vitest";
import { waitFor } from "../../../src/system/clock.ts";
import {
  catchesHangup,
  childrenOf,
  expectProcess,
  findByPidFile,
  findProcess,
  hasProcesses,
  isAlive,
  isStopped,
  titleOf,
  workingFolders,
} from "../../../src/system/processes.ts";
import { whileOutOfDescriptors } from "../../support/shortage.ts";
import { temporaryFolder } from "../../support/unit-folder.ts";

const soon = { within: 5000 };

/** Resolves when the program has said its first word. */
async function start(file: string, args: string[], cwd = "/") {
  const child = spawn(file, args, { cwd, stdio: ["pipe", "pipe", "ignore"] });
  onTestFinished(() => void child.kill("SIGKILL"));
  await new Promise((resolve) => child.stdout.once("data", resolve));
  return child as typeof child & { pid: number };
}

/** A shell that says `ready` when it has got so far. */
function shell(script: string, cwd = "/") {
  return start("sh", ["-c", script], cwd);
}

describe("a process", () => {
  it("is found by its number, with the time at which it began", async () => {
    const own = await findProcess(process.pid);

    expect(own?.pid).toBe(process.pid);
    expect(own?.startTime).toBeGreaterThan(0);
    expect(await findProcess(process.pid)).toEqual(own);
    expect(expectProcess(process.pid)).toEqual(own);
    expect(() => expectProcess(4_194_305)).toThrow("ENOENT");
  });

  it("is found by its pid file, as long as it is the program that wrote it", async () => {
    const file = join(temporaryFolder(), "pid");
    const child = await shell("echo ready; read line");
    writeFileSync(file, `${child.pid}\n`);

    expect(await findByPidFile(file, /^sh /)).toBe(child.pid);
    expect(await findByPidFile(file, /^nginx: master/)).toBeUndefined();
    expect(await findByPidFile(`${file}.none`, /^sh /)).toBeUndefined();
  });

  it("is alive while it is the same one, not when another has its number", async () => {
    const own = (await findProcess(process.pid))!;

    expect(await isAlive(own)).toBe(true);
    expect(await isAlive({ ...own, startTime: own.startTime - 1 })).toBe(false);
  });

  it("is held still once a SIGSTOP has taken effect, until it goes on", async () => {
    const child = await shell("echo ready; read line");
    expect(await isStopped(child.pid)).toBe(false);

    child.kill("SIGSTOP");
    expect(await waitFor(() => isStopped(child.pid), soon)).toBe(true);

    child.kill("SIGCONT");
    expect(await waitFor(async () => !(await isStopped(child.pid)), soon)).toBe(true);
    expect(await isStopped(4_194_305)).toBe(false);
  });

  it("that never was is not found", async () => {
    expect(await findProcess(4_194_305)).toBeUndefined();
    expect(await isAlive({ pid: 4_194_305, startTime: 1 })).toBe(false);
    expect(await catchesHangup(4_194_305)).toBe(false);
    expect(await childrenOf(4_194_305)).toEqual([]);
    expect(await titleOf(4_194_305)).toBe("");
  });

  it("is not taken for dead by who has no descriptor left to look with", async () => {
    const own = (await findProcess(process.pid))!;
    const file = join(temporaryFolder(), "pid");
    writeFileSync(file, `${process.pid}\n`);

    const looks = await whileOutOfDescriptors(() =>
      Promise.allSettled<unknown>([
        isAlive(own),
        childrenOf(process.pid),
        titleOf(process.pid),
        catchesHangup(process.pid),
        findByPidFile(file, /./),
        hasProcesses(own.pid),
      ]),
    );

    expect(looks).toHaveLength(6);
    for (const look of looks)
      expect(look).toMatchObject({ status: "rejected", reason: { code: "EMFILE" } });
    expect(await isAlive(own)).toBe(true);
  });

  it("that has ended and that nobody has asked about yet is none either", async () => {
    const forking =
      "import os, time; child = os.fork() or os._exit(0); print(child, flush=True); time.sleep(60)";
    const parent = await start("/usr/bin/python3", ["-c", forking]);
    const [child = 0] = await childrenOf(parent.pid);

    const gone = await waitFor(async () => !(await findProcess(child)), soon);

    expect(gone).toBe(true);
    expect(await childrenOf(parent.pid)).toEqual([child]);
    expect(child).toBeGreaterThan(0);
  });

  it("is not mistaken for what its name pretends", async () => {
    const folder = temporaryFolder();
    const child = await shell(
      "cp /bin/sleep './x) Z 1 (y'; echo ready; exec './x) Z 1 (y' 60",
      folder,
    );

    await waitFor(async () => (await titleOf(child.pid)).startsWith("./x"), soon);

    expect((await findProcess(child.pid))?.startTime).toBeGreaterThan(0);
  });

  it("is listed with its children, its title and the folder it stands in", async () => {
    const folder = temporaryFolder();
    const parent = await shell("sleep 60 & echo ready; wait", folder);
    const [child = 0] = await childrenOf(parent.pid);
    onTestFinished(() => void process.kill(child, "SIGKILL"));

    const title = await waitFor(async () => {
      const seen = await titleOf(child);
      return seen.startsWith("sleep") && seen;
    }, soon);

    expect(title).toBe("sleep 60");
    expect(await titleOf(parent.pid)).toMatch(/^sh -c sleep 60/);
    expect((await workingFolders()).has(folder)).toBe(true);
  });
});

describe("whether a process hears SIGHUP", () => {
  it("is so from when it has a handler", async () => {
    const deaf = await shell("echo ready; read line; trap : HUP; echo now; read line");
    const before = await catchesHangup(deaf.pid);

    const heard = new Promise((resolve) => deaf.stdout.once("data", resolve));
    deaf.stdin.write("go on\n");
    await heard;

    expect(before).toBe(false);
    expect(await catchesHangup(deaf.pid)).toBe(true);
  });

  it("is not so for one that ignores it, or that only hears other signals", async () => {
    const ignoring = await shell("trap '' HUP; echo ready; read line");
    const other = await shell("trap : INT TERM USR1; echo ready; read line");

    expect(await catchesHangup(ignoring.pid)).toBe(false);
    expect(await catchesHangup(other.pid)).toBe(false);
  });
});
