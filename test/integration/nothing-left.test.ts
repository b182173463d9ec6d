import { chmodSync, existsSync, mkdirSync, readdirSync, rmSync } from "node:fs";
import { execFileSync } from "node:child_process";
import Database from "libsql";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { evaluatingApp } from "../support/apps.ts";
import { makePerson, type Person } from "../support/people.ts";
import { eventually, systemUsersOf, TestServer } from "../support/server.ts";
import type { Workspace } from "../support/workspace.ts";

/** One that nobody has named anywhere: everybody may write in it, below a folder that they may only enter. */
const open = `/var/lib/reeve-test-${process.pid}/everybodys`;

/** Leaves a file in each folder, one in a folder that is closed to its owner, and a message queue. */
const leaving = evaluatingApp(
  "leave()",
  `import ctypes, os, pwd
me = pwd.getpwuid(os.getuid()).pw_name + '-' + os.environ['REEVE_BRANCH']
def leave():
    for top in ['/tmp', '/var/tmp', '/dev/shm', '/run/lock', '${open}']:
        folder = top + '/' + me
        if os.path.lexists(folder): continue
        os.makedirs(folder + '/closed')
        open(folder + '/closed/file', 'w').write('x')
        os.chmod(folder + '/closed', 0)
        os.chmod(folder, 0)
    libc = ctypes.CDLL(None)
    assert libc.mq_open(b'/' + me.encode(), os.O_CREAT | os.O_RDWR, 0o600, None) >= 0
    return me`,
);

function leftBy(name: string): string[] {
  return ["/tmp", "/var/tmp", "/dev/shm", "/run/lock", open].filter((folder) =>
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

describe.runIf(process.getuid?.() === 0)("what is deleted", () => {
  let server: TestServer;
  let demo: Workspace;
  let maker: Person;

  beforeAll(async () => {
    mkdirSync(open, { recursive: true });
    chmodSync(open, 0o1777);
    server = await TestServer.start(["apps_each = 2"], { ssh: true });
    demo = await server.workspace("demo", leaving);
    maker = await makePerson(server, "maker", {}, ["--may-create"]);
  });
  afterAll(async () => {
    await server.remove();
    rmSync(`${open}/..`, { recursive: true, force: true });
  });

  const numbers = (): number[] => systemUsersOf(server.home).map(({ uid }) => uid);
  /** How many numbers are given to nobody else, as the agent remembers it. */
  const usedUp = (): number => {
    const database = new Database(server.path("lib/agent/agent.db"), { readonly: true });
    const { used } = database.prepare("SELECT count(*) AS used FROM runner").get() as {
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
    expect(leftBy(own ?? "")).toHaveLength(5);
    expect(leftBy(shop ?? "")).toHaveLength(5);
    expect(queues()).toContain(shop);

    expect((await demo.push(":cart")).exitCode).toBe(0);
    expect((await server.get("shop--demo")).status).toBe(200);
    expect((await demo.push(":shop")).exitCode).toBe(0);

    expect([...leftBy(shop ?? ""), ...leftBy(cart ?? "")]).toEqual([]);
    expect(queues()).not.toContain(shop);
    expect(leftBy(own ?? "")).toHaveLength(5);
    await server.settled("demo");
    expect((await server.reeve("destroy", "demo", "--yes")).exitCode).toBe(0);
    expect(leftBy(own ?? "")).toEqual([]);
    expect(queues()).not.toContain(own);
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
