import { execFileSync } from "node:child_process";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { connect, type Socket } from "node:net";
import { join } from "node:path";
import { execa } from "execa";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { plainApp } from "../support/apps.ts";
import { MemoryWatch } from "../support/memory-watch.ts";
import { withDeltaBomb } from "../support/packs.ts";
import { basic, makePerson, type Person } from "../support/people.ts";
import { processesUnder } from "../support/processes.ts";
import { eventually, type Outcome } from "../support/server.ts";
import type { Workspace } from "../support/workspace.ts";
import { head, packetLine } from "./raw.ts";
import { throughAndBack } from "./large.ts";
import { Scene, type Transport } from "./scene.ts";

/** Small on the wire, and endless in memory, in files or in time. */
const gitMemory = 1536;

let scene: Scene;
let eve: Person;

beforeAll(async () => {
  scene = await Scene.open([
    "git_sessions_each = 3",
    "release_files = 50000",
    "release_size = 400",
  ]);
  eve = await makePerson(scene.server, "eve", { demo: "preview" });
});
afterAll(() => scene.close());
afterEach(async () => {
  await eventually(() => !scene.hasGit, 30_000);
  await scene.expectUnharmed();
});

/** With root, and where the machine gives the memory of a group away, in v1 or in v2. */
const hasMemoryController =
  process.getuid?.() === 0 &&
  (existsSync("/sys/fs/cgroup/memory") || /memory/.test(read("/sys/fs/cgroup/cgroup.controllers")));

function groupsOf(processes: { pid: number; title: string }[]): string[] {
  const gits = processes.filter(({ title }) => /^git upload-pack /.test(title));
  const groups = gits.map(({ pid }) => /\/git\/\d+-\d+$/m.exec(read(`/proc/${pid}/cgroup`))?.[0]);
  return [...new Set(groups.filter((group) => group !== undefined))];
}

function read(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return "";
  }
}

const folder = "40000";
const link = "120000";
const ways: Transport[] = ["http", "ssh"];

/** Ten objects, and ten to the tenth entries. */
async function treesOfTrees(demo: Workspace, leaf: string): Promise<string> {
  let id = leaf;
  for (let depth = 0; depth < 10; depth++)
    id = await demo.tree(
      Array.from({ length: 10 }, (_, at) => ({ mode: folder, name: `d${at}`, id })),
    );
  return id;
}

/** A commit of an app that is fine, and of this beside it. */
async function commitWith(entry: { mode?: string; name: string; id: string }): Promise<string> {
  const { demo } = scene;
  const app = { name: "app.py", id: await demo.blob(plainApp("bomb")["app.py"] ?? "") };
  return demo.commitTree(
    [app, entry].sort((one, other) => (one.name < other.name ? -1 : 1)),
    "A bomb",
  );
}

async function sized<T>(work: () => Promise<T>): Promise<{ result: T; memory: number }> {
  const watch = new MemoryWatch(scene.around);
  try {
    return { result: await work(), memory: watch.end() };
  } finally {
    watch.end();
  }
}

describe("W4: a commit that would fill the disk", () => {
  it.each(ways)("is refused over %s before it is checked out: trees of trees", async (via) => {
    const { demo } = scene;
    const leaf = await demo.tree([{ name: "f", id: await demo.blob(via) }]);
    const commit = await commitWith({
      mode: folder,
      name: "many",
      id: await treesOfTrees(demo, leaf),
    });
    const before = scene.main;

    const push = await scene.push(via, [`+${commit}:refs/heads/main`]);

    expect(push.exitCode, push.output).toBe(1);
    expect(push.output).toContain("error[RELEASE_TOO_LARGE]");
    expect(push.output).toContain("50000 files and folders");
    expect(scene.main).toBe(before);
    expect(existsSync(scene.server.path("srv/demo/.staging/tree/many"))).toBe(false);
  });

  it("is refused where its folders hold nothing at all", async () => {
    const { demo } = scene;
    const id = await treesOfTrees(demo, await demo.tree([]));
    const commit = await commitWith({ mode: folder, name: "none", id });

    const push = await scene.push("http", [`+${commit}:refs/heads/main`]);

    expect(push.exitCode, push.output).toBe(1);
    expect(push.output).toContain("error[RELEASE_TOO_LARGE]");
  });

  it("is refused by its bytes where one file stands in it a thousand times", async () => {
    const { demo } = scene;
    const id = await demo.blob(Buffer.alloc(1024 * 1024));
    const files = Array.from({ length: 1000 }, (_, at) => ({ name: `f${1000 + at}`, id }));
    const commit = await commitWith({ mode: folder, name: "zeros", id: await demo.tree(files) });

    const push = await scene.push("http", [`+${commit}:refs/heads/main`]);

    expect(push.exitCode, push.output).toBe(1);
    expect(push.output).toContain("400 MiB (option release_size)");
  });

  it("is refused for a link of many megabytes, which git would read whole", async () => {
    const { demo } = scene;
    const id = await demo.blob(Buffer.alloc(8 * 1024 * 1024, "x"));
    const commit = await commitWith({ mode: link, name: "way", id });

    const push = await scene.push("http", [`+${commit}:refs/heads/main`]);

    expect(push.exitCode, push.output).toBe(1);
    expect(push.output).toContain("a link to a path of more than 4095 bytes");
  });

  it("does not grow on its way to the disk by what its attributes ask for", async () => {
    const { demo, server } = scene;
    const text = "$Id$\n".repeat(1000);
    const app = { name: "app.py", id: await demo.blob(plainApp("plain")["app.py"] ?? "") };
    const attributes = "*.txt text eol=crlf ident working-tree-encoding=UTF-32\n";
    const commit = await demo.commitTree(
      [
        { name: ".gitattributes", id: await demo.blob(attributes) },
        app,
        { name: "grows.txt", id: await demo.blob(text) },
      ],
      "It grows",
    );

    const push = await scene.push("http", [`+${commit}:refs/heads/main`]);

    expect(push.exitCode, push.output).toBe(0);
    expect(server.read("srv/demo/releases", commit, "grows.txt")).toBe(text);
  });

  it("may be kept on a branch that is not on the air, and keeps no later push of it away", async () => {
    const { demo, server } = scene;
    const leaf = await demo.tree([{ name: "f", id: await demo.blob("kept") }]);
    const id = await treesOfTrees(demo, leaf);
    const commit = await commitWith({ mode: folder, name: "many", id });
    const good = await demo.commitBeside(plainApp("kept"), "Good again");
    await server.reeve("options", "demo", "set", "previews=off");
    const kept = await scene.push("http", [`${commit}:refs/heads/kept`]);
    await server.reeve("options", "demo", "set", "previews=all");

    const push = await scene.push("http", [`+${good}:refs/heads/kept`]);

    expect(kept.exitCode, kept.output).toBe(0);
    expect(push.exitCode, push.output).toBe(0);
    expect((await server.get("kept--demo")).body).toBe("kept");
  });
});

describe("W4: a checkout that somebody no longer wants", () => {
  /** Starts a push and holds git in the midst of the checkout. */
  async function held(): Promise<{ push: Promise<Outcome>; checkout: number }> {
    const { demo, server } = scene;
    const id = await demo.blob(`held ${performance.now()}`);
    const files = Array.from({ length: 40_000 }, (_, at) => ({ name: `f${100_000 + at}`, id }));
    const commit = await commitWith({ mode: folder, name: "many", id: await demo.tree(files) });
    const push = scene.push("http", [`+${commit}:refs/heads/main`]);
    let checkout = 0;
    await eventually(() => {
      const [found] = processesUnder(server.home).filter(({ title }) =>
        /^git .*read-tree/.test(title),
      );
      if (found) process.kill((checkout = found.pid), "SIGSTOP");
      return checkout !== 0;
    }, 30_000);
    return { push, checkout };
  }

  it("is ended by a cancel", async () => {
    const { push, checkout } = await held();
    const cancel = await scene.server.reeve("cancel", "demo");

    expect(cancel.exitCode, cancel.output).toBe(0);
    expect((await push).output).toContain("error[DEPLOY_CANCELLED]");
    expect(existsSync(`/proc/${checkout}`)).toBe(false);
    expect(existsSync(scene.server.path("srv/demo/.staging/tree/many"))).toBe(false);
  });

  it("is ended with the push that asked for it", async () => {
    const { push, checkout } = await held();
    const [receiving] = processesUnder(scene.server.home).filter(({ title }) =>
      /^git receive-pack /.test(title),
    );
    process.kill(receiving?.pid ?? 0, "SIGKILL");

    await eventually(() => !existsSync(`/proc/${checkout}`), 10_000);
    expect((await push).exitCode).toBe(1);
  });
});

describe("W4: a delta of kilobytes that becomes gigabytes", () => {
  /** A push as it comes on the wire, of a pack with such a delta in it. */
  async function pushBomb(via: Transport, person: Person, ref: string, more = 0): Promise<Outcome> {
    const { demo, server } = scene;
    const files = Object.fromEntries(Array.from({ length: more }, (_, at) => [`f${at}`, `${at}`]));
    const commit = await demo.commitBeside({ ...plainApp("bomb"), ...files }, `${ref} ${via}`);
    const old = (await demo.remoteCommit(ref)) || "0".repeat(40);
    const commands = `${packetLine(`${old} ${commit} ${ref}\0report-status side-band-64k`)}0000`;
    const pack = withDeltaBomb(await demo.pack([commit]), 160);
    expect(pack.length).toBeLessThan(64 * 1024);
    const body = Buffer.concat([Buffer.from(commands), pack]);
    if (via === "ssh") {
      const { all, exitCode } = await person.ssh.start(
        "git-receive-pack 'demo'",
        [],
        undefined,
        body,
      );
      return { exitCode: exitCode ?? -1, output: all };
    }
    const answer = await server.ask({
      host: `git.localhost:${server.port}`,
      path: "/demo.git/git-receive-pack",
      method: "POST",
      headers: {
        authorization: basic(person),
        "content-type": "application/x-git-receive-pack-request",
      },
      body,
    });
    return { exitCode: answer.status, output: answer.body };
  }

  it.each(ways)("is not unpacked over %s where no ref may move", async (via) => {
    const { result, memory } = await sized(() => pushBomb(via, eve, "refs/heads/main"));

    expect(result.output).toContain("error[NOT_ALLOWED]");
    expect(result.output).toContain("ng refs/heads/main");
    expect(memory).toBeLessThan(50);
  });

  it.each(ways)("is not unpacked over %s to a ref that nobody may move", async (via) => {
    const { result, memory } = await sized(() => pushBomb(via, scene.ada, "refs/notes/x"));

    expect(result.output).toContain("error[REF_REFUSED]");
    expect(memory).toBeLessThan(50);
  });

  // With fewer than a hundred objects git unpacks them one by one, with more it keeps the pack.
  it.each(ways.flatMap((via) => [0, 200].map((more) => [via, more] as const)))(
    "takes no more memory over %s than git may have, with %i files beside it",
    async (via, more) => {
      const before = scene.main;
      const { result, memory } = await sized(() =>
        pushBomb(via, scene.ada, "refs/heads/main", more),
      );

      expect(result.output).not.toContain("ok refs/heads/main");
      expect(memory).toBeLessThan(gitMemory);
      expect(scene.main).toBe(before);
      await scene.pushAgain();
    },
  );
});

describe("W4: a push of nothing that may move", () => {
  it.each(ways)("is told over %s what its ref would have been told by the hook", async (via) => {
    const { demo, server } = scene;
    const commit = await demo.commitBeside(plainApp("eve"), `Eve ${via}`);
    const ssh = `core.sshCommand=${eve.ssh.gitSshCommand}`;
    const remote =
      via === "ssh" ? eve.ssh.remote("demo") : server.remote("demo", `eve:${eve.token}`);
    const push = await demo.start("-c", ssh, "push", remote, `+${commit}:refs/heads/main`);

    expect(push.exitCode).toBe(1);
    expect(push.all).toContain("remote: error[NOT_ALLOWED]: eve may not put on the air");
    expect(push.all).toContain("remote: hint: ");
    expect(push.all).toMatch(/! \[remote rejected\] \S+ -> main \(NOT_ALLOWED\)/);
    const audit = await server.reeve("audit");
    expect(audit.output).toMatch(/eve.*pushProduction.*refused/s);
  });

  it("is told so also where it is large", async () => {
    const { demo, server } = scene;
    const noise = execFileSync("head", ["-c", "20000000", "/dev/urandom"], { maxBuffer: 2 ** 26 });
    const commit = await demo.commitTree([{ name: "noise", id: await demo.blob(noise) }], "Noise");
    for (const remote of [eve.ssh.remote("demo"), server.remote("demo", `eve:${eve.token}`)]) {
      const ssh = `core.sshCommand=${eve.ssh.gitSshCommand}`;
      const push = await demo.start("-c", ssh, "push", remote, `+${commit}:refs/heads/main`);
      expect(push.exitCode).toBe(1);
      expect(push.all).toContain("remote: error[NOT_ALLOWED]");
      expect(push.all).toContain("(NOT_ALLOWED)");
    }
  });

  it("names a hundred refs at the most, and its list ends somewhere", async () => {
    const { server } = scene;
    const line = (at: number): string =>
      packetLine(
        `${"0".repeat(40)} ${"1".repeat(40)} refs/heads/x${at}${at === 0 ? "\0report-status side-band-64k" : ""}\n`,
      );
    const body = `${Array.from({ length: 100_000 }, (_, at) => line(at)).join("")}0000`;
    const { result, memory } = await sized(async () => {
      const answer = await server.ask({
        host: `git.localhost:${server.port}`,
        path: "/demo.git/git-receive-pack",
        method: "POST",
        headers: {
          ...scene.authorization,
          "content-type": "application/x-git-receive-pack-request",
        },
        body,
      });
      const overSsh = await scene.ada.ssh.start("git-receive-pack 'demo'", [], undefined, body);
      return [answer.body, overSsh.all];
    });

    for (const words of result) expect(words).toContain("error[REF_REFUSED]");
    expect(memory).toBeLessThan(50);
  });

  it("is not let in by a signature around it", async () => {
    const { server } = scene;
    const body = `${packetLine("push-cert\0report-status side-band-64k\n")}${packetLine("certificate version 0.1\n")}0000`;
    const answer = await server.ask({
      host: `git.localhost:${server.port}`,
      path: "/demo.git/git-receive-pack",
      method: "POST",
      headers: {
        ...scene.authorization,
        "content-type": "application/x-git-receive-pack-request",
      },
      body,
    });

    expect(answer.body).toContain("error[REF_REFUSED]: this push is signed");
  });
});

describe("what was accepted", () => {
  it(
    "can be cloned, fetched and checked out: a push of 300 megabytes",
    { timeout: 300_000 },
    async () => {
      const { demo, server } = scene;
      const { result, memory } = await sized(() =>
        throughAndBack(scene, { megabytes: 300, beside: 100 }),
      );

      expect(result).toEqual(["300 MB", "300 MB"]);
      expect((await server.get("large--demo")).body).toBe("large");
      expect(memory).toBeLessThan(200);
      await demo.push(":refs/heads/large");
    },
  );
});

describe("W8: more gits than an account may have", () => {
  it("wait, and keep nobody else waiting", async () => {
    const { demo, server } = scene;
    const noise = execFileSync("head", ["-c", "30000000", "/dev/urandom"], { maxBuffer: 2 ** 26 });
    const commit = await demo.commitTree(
      [
        { name: "app.py", id: await demo.blob(plainApp("noise")["app.py"] ?? "") },
        { name: "noise", id: await demo.blob(noise) },
      ],
      "Noise",
    );
    await scene.push("http", [`${commit}:refs/heads/noise`]);
    // What the push was held to is not counted with what comes.
    await eventually(() => !scene.hasGit, 10_000);
    const request = `${packetLine(`want ${commit} side-band-64k ofs-delta\n`)}0000${packetLine("done\n")}`;
    const fetchAll = (): Socket => {
      const socket = connect(server.port, "127.0.0.1").on("error", () => undefined);
      socket.pause();
      socket.write(
        head("POST", "/demo.git/git-upload-pack", [
          "Host: git.localhost",
          `Authorization: ${basic(eve)}`,
          "Content-Type: application/x-git-upload-pack-request",
          `Content-Length: ${request.length}`,
        ]),
      );
      socket.write(request);
      return socket;
    };
    const gits = (): number =>
      processesUnder(server.home).filter(({ title }) => /^git upload-pack /.test(title)).length;
    const held = Array.from({ length: 3 }, fetchAll);
    await eventually(() => gits() === 3, 10_000);
    // Each is there a moment before the agent has put it into its group.
    if (hasMemoryController)
      await eventually(() => groupsOf(processesUnder(server.home)).length === 3, 10_000);
    const more = Array.from({ length: 5 }, fetchAll);
    const waiting = execa(
      "git",
      ["clone", "--bare", eve.ssh.remote("demo"), join(demo.folder, "eves.git")],
      {
        env: { GIT_SSH_COMMAND: eve.ssh.gitSshCommand },
        reject: false,
        all: true,
      },
    );

    await scene.pushAgain();
    expect(gits()).toBe(3);
    for (const socket of [...held, ...more]) socket.destroy();

    const { exitCode, all } = await waiting;
    expect(exitCode, all).toBe(0);
    expect(readdirSync(join(demo.folder, "eves.git/objects/pack"))).not.toEqual([]);
  });
});
