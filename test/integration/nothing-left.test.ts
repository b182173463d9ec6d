import {
  chmodSync,
  chownSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { dirname } from "node:path";
import { execFileSync } from "node:child_process";
import Database from "libsql";
import { aroundAll, beforeAll, describe, expect, it } from "vitest";
import { evaluatingApp } from "../support/apps.ts";
import { makePerson, type Person } from "../support/people.ts";
import { eventually, systemUsersOf } from "../support/server.ts";
import { withServer, withWorkspace } from "../support/with-server.ts";

/** One that nobody has named anywhere: everybody may write in it, below a folder that they may only enter. */
const open = `/var/lib/reeve-test-${process.pid}/everybodys`;

/** One that is root's, and an access list lets one user write in it. */
const granted = `/var/lib/reeve-test-${process.pid}/granted`;

/** As setfacl(1) does, which not every machine has: rwx for the folder's owner and this user. */
function grant(folder: string, uid: number): void {
  const lines = `import os, struct
entries = [(1, 7, -1), (2, 7, ${uid}), (4, 0, -1), (16, 7, -1), (32, 0, -1)]
acl = b''.join(struct.pack('<HHi', *entry) for entry in entries)
os.setxattr('${folder}', 'system.posix_acl_access', struct.pack('<I', 2) + acl)`;
  execFileSync("python3", ["-c", lines]);
}

/** Leaves a file in each folder, one in a folder that is closed to its owner, and a message queue. */
const leaving = evaluatingApp(
  "leave()",
  `import ctypes, os, pwd
me = pwd.getpwuid(os.getuid()).pw_name + '-' + os.environ['REEVE_BRANCH']
def leave():
    for top in ['/tmp', '/var/tmp', '/dev/shm', '/run/lock', '${open}', '${granted}']:
        if not os.access(top, os.W_OK): continue
        folder = top + '/' + me
        if os.path.lexists(folder): continue
        os.makedirs(folder + '/closed')
        open(folder + '/closed/file', 'w').write('x')
        os.chmod(folder + '/closed', 0)
        os.chmod(folder, 0)
    libc = ctypes.CDLL(None)
    # Closed to their owner as well: by their modes nobody may read or write them.
    if libc.shmget(os.getuid(), 4096, 0o1000) >= 0:
        assert libc.semget(os.getuid(), 1, 0o1000) >= 0 and libc.msgget(os.getuid(), 0o1000) >= 0
    assert libc.mq_open(b'/' + me.encode(), os.O_CREAT | os.O_RDWR, 0o600, None) >= 0
    return me`,
);

function leftBy(name: string): string[] {
  return ["/tmp", "/var/tmp", "/dev/shm", "/run/lock", open, granted].filter((folder) =>
    existsSync(`${folder}/${name}`),
  );
}

/** As the kernel lists them, where nobody has mounted them. */
function queues(): string {
  return execFileSync("unshare", [
    ...["--mount", "--", "sh", "-c"],
    "mount -t mqueue none /mnt && ls /mnt",
  ]).toString();
}

/** How much the user has of what System V offers: shared memory, semaphores and messages. */
function objectsOf({ uid }: { uid: number }): number {
  const lines = ["shm", "sem", "msg"].flatMap((kind) =>
    readFileSync(`/proc/sysvipc/${kind}`, "utf8").split("\n"),
  );
  return lines.filter((line) => line.split(/\s+/).includes(String(uid))).length;
}

/** Somebody else's, which everybody may use. Returns what removes it. */
function makeOthersObject(): () => void {
  const lines = "import ctypes; print(ctypes.CDLL(None).shmget(0, 4096, 0o1666))";
  const number = execFileSync("python3", ["-c", lines]).toString().trim();
  return () => execFileSync("ipcrm", ["-m", number]);
}

/** What others write for a user in folders of their own: mail, and that its programs run though it is not there. */
function leaveByOthers({ name, uid }: { name: string; uid: number }): string[] {
  const [mail, lingers] = [`/var/mail/${name}`, `/var/lib/systemd/linger/${name}`];
  for (const path of [mail, lingers]) {
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, "");
  }
  chownSync(mail, uid, uid);
  return [mail, lingers];
}

describe.runIf(process.getuid?.() === 0)("what is deleted", () => {
  aroundAll(async (runBlock) => {
    mkdirSync(open, { recursive: true });
    chmodSync(open, 0o1777);
    const removeOthers = makeOthersObject();
    try {
      await runBlock();
    } finally {
      removeOthers();
      rmSync(`${open}/..`, { recursive: true, force: true });
    }
  });
  const server = withServer(["apps_each = 2"], { ssh: true });
  const demo = withWorkspace(server, "demo", leaving);
  let maker: Person;

  beforeAll(async () => {
    mkdirSync(granted, { mode: 0o700 });
    await server.reeve("create", "demo");
    grant(granted, userOf("reeve-demo").uid);
    maker = await makePerson(server, "maker", {}, { mayCreate: true });
  });

  const userOf = (stem: string): { name: string; uid: number } => {
    const isMeant = new RegExp(`^${stem}(-\\d+)?$`);
    const found = systemUsersOf(server.home).find(({ name }) => isMeant.test(name));
    if (!found) throw new Error(`there is no ${stem}`);
    return found;
  };
  const numbers = (): number[] => systemUsersOf(server.home).map(({ uid }) => uid);
  /** How many numbers are given to nobody else, as the agent remembers it. */
  const usedUp = (): number => {
    const database = new Database(server.path("lib/agent/agent.db"), { readonly: true });
    const { used } = database.prepare("SELECT count(*) AS used FROM app_user").get() as {
      used: number;
    };
    database.close();
    return used;
  };
  const traces = (): string[] => [
    ...readdirSync(server.path("srv")),
    ...readdirSync(server.path("lib/repositories")),
    ...readdirSync(server.path("etc/apps")),
  ];

  it("leaves nothing in folders of everybody's: a preview with the last one of its app, and an app", async () => {
    await demo.push("main", "main:shop", "main:cart");
    const [own, shop, cart] = await Promise.all(
      ["demo", "shop--demo", "cart--demo"].map(async (name) => (await server.get(name)).body),
    );
    expect(leftBy(own ?? "")).toHaveLength(6);
    expect(leftBy(shop ?? "")).toHaveLength(5);
    expect(queues()).toContain(shop);

    const previews = userOf("reeve-demo-preview");
    expect(objectsOf(previews)).toBe(3);

    expect((await demo.push(":cart")).exitCode).toBe(0);
    expect((await server.get("shop--demo")).status).toBe(200);
    expect((await demo.push(":shop")).exitCode).toBe(0);

    expect([...leftBy(shop ?? ""), ...leftBy(cart ?? "")]).toEqual([]);
    expect(queues()).not.toContain(shop);
    expect(objectsOf(previews)).toBe(0);
    expect(leftBy(own ?? "")).toHaveLength(6);
    await server.settled("demo");
    const user = userOf("reeve-demo");
    const others = leaveByOthers(user);
    expect(objectsOf(user)).toBe(3);
    expect((await server.reeve("destroy", "demo", "--yes")).exitCode).toBe(0);
    expect(leftBy(own ?? "")).toEqual([]);
    expect(queues()).not.toContain(own);
    expect(objectsOf(user)).toBe(0);
    expect(others.filter((path) => existsSync(path))).toEqual([]);
  });

  it("an app that a push makes and brings nothing to leaves no user, number or folder", async () => {
    const before = { numbers: numbers(), traces: traces() };
    const used = usedUp();
    for (let count = 0; count < 4; count++)
      await server.receivePack(`empty-${count}`, "0000", `${maker.name}:${maker.token}`);
    const remote = server.remote("refused", `x:${maker.token}`);
    for (const refspec of ["HEAD:refs/notes/x", ":refs/heads/none"])
      await demo.start("push", remote, refspec);
    const command = `core.sshCommand=${maker.ssh.gitSshCommand}`;
    await demo.start("-c", command, "push", maker.ssh.remote("over"), "HEAD:refs/notes/x");

    await eventually(() => traces().length === before.traces.length, 20_000);
    expect({ numbers: numbers(), traces: traces() }).toEqual(before);
    const made = await maker.ssh.run("create kept");
    expect(made.exitCode, made.output).toBe(0);
    expect(usedUp()).toBe(used + 2);
  });

  it("and made again counts: an account makes as many apps as it may", async () => {
    expect((await maker.ssh.run("destroy kept --yes")).exitCode).toBe(0);
    expect((await maker.ssh.run("create again")).exitCode).toBe(0);

    expect((await maker.ssh.run("create more")).output).toContain("error[APP_LIMIT]");
    const push = await demo.start(
      ...["push", server.remote("more", `x:${maker.token}`), "HEAD:refs/heads/main"],
    );

    expect(push.exitCode).not.toBe(0);
    expect(push.all).toContain("error[APP_LIMIT]");
    expect((await server.reeve("create", "more")).exitCode).toBe(0);
  });
});
