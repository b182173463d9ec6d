import { spawn, spawnSync, type ChildProcess } from "node:child_process";
import { chmodSync, chownSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { sleep, waitFor } from "../../../src/system/clock.ts";
import { LocalSystem, type Command } from "../../../src/system/system.ts";
import { findIdentity } from "../../../src/system/identity.ts";
import {
  addSystemUser,
  addUser,
  endProcesses,
  listSystemUsers,
  removeSystemUser,
} from "../../../src/system/system-users.ts";
import { temporaryFolder } from "../../support/unit-folder.ts";
import { RecordingSystem } from "../../support/unit-system.ts";

describe("a system user", () => {
  it("is made without a password, a shell or a home, and with no number but its own", () => {
    const { file, args } = addUser({
      name: "reeve-demo",
      id: 30_000,
      comment: "demo (reeve in /r)",
    });

    expect([file, ...args].join(" ")).toBe(
      "useradd --system --user-group --no-create-home --home-dir /nonexistent --shell /usr/sbin/nologin " +
        "--comment demo (reeve in /r) --uid 30000 -K SYS_UID_MIN=30000 -K SYS_UID_MAX=30000 " +
        "-K SYS_GID_MIN=30000 -K SYS_GID_MAX=30000 -- reeve-demo",
    );
  });

  it("is listed with what its line says", async () => {
    const host = new RecordingSystem({ isRoot: true }).answering(
      "getent passwd",
      "root:x:0:0:root:/root:/bin/bash\nreeve-demo:x:30000:30001:demo (reeve in /r):/nonexistent:/x\n",
    );

    expect(await listSystemUsers(host)).toEqual([
      { name: "root", uid: 0, gid: 0, comment: "root" },
      { name: "reeve-demo", uid: 30_000, gid: 30_001, comment: "demo (reeve in /r)" },
    ]);
  });

  it.each([
    ["root", 0, true],
    ["www-data", 33, true],
    ["reeve-demo", 30_000, false],
  ])(
    "is not removed where that would end others: %s, %i, as root: %s",
    async (name, uid, isRoot) => {
      const host = new RecordingSystem({ isRoot });

      const removing = removeSystemUser(host, { name, uid, gid: uid });

      await expect(removing).rejects.toThrow("is not a user that may be removed");
      expect(host.commands).toEqual([]);
    },
  );

  it("that is gone already is removed all the same", async () => {
    const host = new RecordingSystem({ isRoot: true }).failing("userdel", "does not exist", 6);

    await removeSystemUser(host, { name: "reeve-demo", uid: 30_000, gid: 30_000 });

    expect(host.lines.at(-1)).toBe("userdel -- reeve-demo");
  });

  it("is removed when the last of its processes has gone, which takes a moment after its end", async () => {
    let tries = 0;
    const host = new RecordingSystem({ isRoot: true });
    const run = (command: Command): Promise<string> => {
      if (command.file !== "userdel" || ++tries === 3) return host.run(command);
      return new RecordingSystem().failing("userdel", "is currently used", 8).run(command);
    };

    const user = { name: "reeve-demo", uid: 30_000, gid: 30_000 };
    await removeSystemUser({ isRoot: true, run }, user);

    expect([tries, host.lines.at(-1)]).toEqual([3, "userdel -- reeve-demo"]);
    expect(host.lines.filter((line) => line.endsWith("/end-processes.py 30000"))).toHaveLength(3);
  });

  it.runIf(process.getuid?.() === 0)(
    "takes a process with it that became the user's late",
    async () => {
      const name = "reeve-late";
      spawnSync("userdel", [name]);
      const real = new LocalSystem();
      const user = await addSystemUser(real, { name, id: 41_900, comment: "late" });
      if (!user) throw new Error("its number is taken");
      let late: ChildProcess | undefined;
      const run = async (command: Command): Promise<string> => {
        // What was a vassal of root's still while the user's processes were killed.
        if (command.file === "userdel") late ??= await sleeperOf(user.uid);
        return real.run(command);
      };

      await removeSystemUser({ isRoot: true, run }, user);

      expect(await findIdentity(real, name)).toBeUndefined();
      expect(late?.signalCode).toBe("SIGKILL");
    },
  );
});

describe("the processes of a user", () => {
  it.runIf(process.getuid?.() === 0)("are ended while those of others are", async () => {
    const users = Array.from({ length: 12 }, (_, place) => 41_920 + place);
    const sleepers = await Promise.all(users.map(sleeperOf));

    await Promise.all(
      users.map((uid) => endProcesses(new LocalSystem(), { name: "nobody", uid, gid: uid })),
    );

    expect(sleepers.map(({ signalCode }) => signalCode)).toEqual(users.map(() => "SIGKILL"));
  });

  it.runIf(process.getuid?.() === 0).each([
    ["forks and ends again and again, so that nobody sees it", ""],
    ["ends all that it may besides, so that nobody ends it", "kill 9, -1;"],
  ])("are ended, also one that %s", async (_, meanwhile) => {
    const folder = temporaryFolder();
    for (let uid = 41_910; uid < 41_914; uid += 1) {
      const sign = join(folder, String(uid));
      writeFileSync(sign, "");
      chownSync(sign, uid, uid);
      chmodSync(folder, 0o711);
      const child = `open F, '>>', $ARGV[0]; syswrite F, 'x'; close F; ${meanwhile} fork and kill 9, $$`;
      const script = `$SIG{CHLD} = 'IGNORE'; my $end = time + 30; while (time < $end) { ${child} }`;
      const as = [`--reuid=${uid}`, `--regid=${uid}`, "--clear-groups"];
      spawn("setpriv", [...as, "perl", "-e", script, sign], { stdio: "ignore" });
      const grows = (): Promise<boolean> => Promise.resolve(statSync(sign).size > 100);
      await waitFor(grows, { within: 5000 });

      await endProcesses(new LocalSystem(), { name: "nobody", uid, gid: uid });

      const { size } = statSync(sign);
      await sleep(50);
      expect(statSync(sign).size).toBe(size);
    }
  });
});

async function sleeperOf(uid: number): Promise<ChildProcess> {
  const child = spawn("setpriv", ["--reuid", String(uid), "--clear-groups", "sleep", "60"]);
  const isTheUsers = () => Promise.resolve(statSync(`/proc/${child.pid}`).uid === uid);
  await waitFor(isTheUsers, { within: 5000 });
  return child;
}
