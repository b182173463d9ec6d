import { execFileSync, spawnSync } from "node:child_process";
import { randomBytes } from "node:crypto";
import { existsSync, rmSync } from "node:fs";
import { connect } from "node:net";
import { join } from "node:path";
import { execa } from "execa";
import { beforeAll, describe, expect, it } from "vitest";
import { plainApp } from "../support/apps.ts";
import { packOf, pushOf, pushPack, pushRequest } from "../support/packs.ts";
import { makePerson, type Person } from "../support/people.ts";
import { eventually } from "../support/server.ts";
import { withApp, withServer } from "../support/with-server.ts";
import type { Workspace } from "../support/workspace.ts";

const isLong = process.env["ROUNDS"] !== undefined;

const large = 3 * 1024 * 1024;

/** What is pushed beside a large file, to where, and with which code or in which words it is refused. */
interface Refusal {
  title: string;
  code?: string;
  says?: string;
  files?: Parameters<Workspace["write"]>[0];
  refs?: string[];
  /** What is in its tree besides, as lines of `git update-index --index-info`. */
  entries?: string;
  /** As somebody who may only push previews. */
  asBen?: boolean;
}

const refusals: Refusal[] = [
  { title: "a right that is missing", code: "NOT_ALLOWED", asBen: true },
  { title: "a ref that is none", code: "REF_REFUSED", refs: ["HEAD:refs/notes/x"] },
  { title: "a hidden ref", code: "REF_REFUSED", refs: ["HEAD:refs/reeve/releases/demo/x"] },
  {
    title: "a branch's name",
    code: "BRANCH_REFUSED",
    refs: [`HEAD:refs/heads/${"x/".repeat(200)}x`],
  },
  { title: "a tag in a branch's place", code: "REF_REFUSED", refs: ["heavy:refs/heads/main"] },
  {
    title: "a tree in a branch's place",
    code: "REF_REFUSED",
    refs: ["HEAD^{tree}:refs/heads/main"],
  },
  { title: "a Procfile", code: "BUILD_TREE_INVALID", files: { Procfile: "what is this\n" } },
  { title: "a tree without an app", code: "MODULE_NOT_FOUND", files: { "app.py": null } },
  {
    title: "requirements",
    code: "ENVIRONMENT_FAILED",
    files: { "requirements.txt": "no-such-0==1\n" },
  },
  {
    title: "an app that does not start",
    code: "APP_UNHEALTHY",
    files: { "app.py": "import nosuch\n" },
  },
  {
    title: "a pointer of Git LFS",
    code: "BUILD_TREE_INVALID",
    files: {
      "x.bin": `version https://git-lfs.github.com/spec/v1\noid sha256:${"a".repeat(64)}\nsize 12345\n`,
    },
  },
  {
    title: "a submodule",
    code: "BUILD_TREE_INVALID",
    entries: `160000 ${"1".repeat(40)}\tlib\n`,
  },
  {
    title: "its size",
    says: "maximum allowed size",
    files: { "larger.bin": randomBytes(3 * large) },
  },
];

describe.runIf(process.getuid?.() === 0)("what a refused push leaves behind", () => {
  const server = withServer(["push_limit = 8"], { ssh: true });
  const demo = withApp(server, "demo", plainApp("good"));
  let ben: Person;
  let ada: Person;

  beforeAll(async () => {
    ada = await makePerson(server, "ada", { demo: "admin" });
    ben = await makePerson(server, "ben", { demo: "preview" });
    await server.settled("demo");
  });

  const repository = (): string => server.path("lib/repositories/demo.git");
  /** By find, which bears what goes while it looks. */
  const objects = (): string[] =>
    spawnSync("find", [".", "-type", "f", "-printf", "%P\n"], {
      cwd: join(repository(), "objects"),
      encoding: "utf8",
    })
      .stdout.split("\n")
      .sort();

  async function refuse(
    { files = {}, refs = ["HEAD:refs/heads/main"], entries = "", asBen = false }: Refusal,
    via: "http" | "ssh",
  ): Promise<string> {
    demo.write({ ...files, "large.bin": randomBytes(large) });
    await demo.commit("Refused");
    await execa("git", ["update-index", "--index-info"], { cwd: demo.folder, input: entries });
    await demo.git("commit", "--quiet", "--amend", "--no-edit");
    await demo.git("tag", "--force", "--annotate", "-m", "heavy", "heavy");
    const who = asBen ? ben : ada;
    const remote =
      via === "ssh" ? who.ssh.remote("demo") : server.remote("demo", `${who.name}:${who.token}`);
    const words = ["-c", `core.sshCommand=${who.ssh.gitSshCommand}`, "push", "--force", remote];
    const push = await demo.start(...words, ...refs);
    await demo.git("reset", "--quiet", "--hard", "HEAD~1");
    expect(push.exitCode, push.all).not.toBe(0);
    return push.all;
  }

  it.each(refusals.flatMap((refusal) => ways(refusal).map((via) => ({ ...refusal, via }))))(
    "is nothing, where it is refused for $title, over $via",
    async ({ via, ...refusal }) => {
      const before = objects();

      const said = await refuse(refusal, via);

      expect(said).toContain(refusal.says ?? `error[${refusal.code}]`);
      expect(objects()).toEqual(before);
    },
  );

  it("is nothing, where somebody cancels it", async () => {
    const before = objects();
    const slow = { "app.py": "import time\ntime.sleep(600)\n" };

    const pushing = refuse({ title: "", code: "", files: slow }, "http");
    await eventually(async () => (await server.reeve("cancel", "demo")).exitCode === 0, 30_000);

    expect(await pushing).toContain("error[DEPLOY_CANCELLED]");
    expect(objects()).toEqual(before);
  });

  it.each([
    { many: false, via: "http" },
    { many: true, via: "http" },
    { many: false, via: "ssh" },
    { many: true, via: "ssh" },
  ] as const)(
    "is nothing, where its client goes in the midst of it, over $via, of many files: $many",
    async ({ many, via }) => {
      const before = objects();
      for (let n = 0; many && n < 120; n++) demo.write({ [`${n}.txt`]: `${n}` });
      demo.write({ "large.bin": randomBytes(large) });
      const value = await demo.commit("Cut");
      const listed = (await demo.git("rev-list", "--objects", "--no-object-names", "HEAD~1..HEAD"))
        .output;
      await demo.git("reset", "--quiet", "--hard", "HEAD~1");
      const pack = await packOf(demo.folder, listed.split("\n"));
      const request = pushOf(pack, { value });
      const half = request.subarray(0, request.length / 2);

      if (via === "ssh") {
        await ada.ssh.start("git-receive-pack 'demo'", [], undefined, half);
      } else {
        const socket = connect(server.port, "127.0.0.1");
        socket.write(pushRequest(ada, request.length));
        socket.write(half);
        await eventually(() => objects().length > before.length, 20_000);
        socket.destroy();
      }

      await eventually(() => objects().join() === before.join(), 20_000);
      expect(await demo.remoteCommit("refs/heads/back")).toBe("");
    },
  );

  it("is nothing, where a shallow clone lacks what it leads to", async () => {
    const before = objects();
    for (const text of ["a", "b"]) {
      demo.write({ "a.txt": text });
      await demo.commit("Never pushed");
    }
    const folder = join(demo.folder, "clone");
    await demo.git("clone", "--quiet", "--depth=1", `file://${demo.folder}`, folder);
    await demo.git("reset", "--quiet", "--hard", "HEAD~2");
    const clone = demo.within(folder);
    clone.write({ "large.bin": randomBytes(large) });
    await clone.commit("From a shallow clone");

    const push = await clone.start("push", server.remote("demo"), "+HEAD:refs/heads/main");

    rmSync(folder, { recursive: true });
    expect(push.exitCode, push.all).not.toBe(0);
    expect(push.all).toContain("git fetch --unshallow");
    expect(objects()).toEqual(before);
  });

  it("is nothing, where its pack lacks what it leads to", async () => {
    const before = objects();
    const blob = await demo.blob("never sent\n");
    const commit = await demo.commitTree([{ name: "app.py", id: blob }], "Not whole");
    await demo.git("update-ref", "refs/heads/broken", commit);
    rmSync(join(demo.folder, ".git/objects", blob.slice(0, 2), blob.slice(2)));

    const ids = [commit, (await demo.git("rev-parse", `${commit}^{tree}`)).output.trim()];
    const said = await pushPack(server, await packOf(demo.folder, ids), { value: commit });

    expect(said).not.toContain("ok refs");
    expect(objects()).toEqual(before);
  });

  const besides = [
    { title: "a right", code: "NOT_ALLOWED", ref: "refs/heads/main", other: "heads/fine" },
    { title: "a ref that is none", code: "REF_REFUSED", ref: "refs/notes/x", other: "tags/fine" },
  ];
  it.each(isLong ? besides : besides.slice(0, 1))(
    "is gone in a moment, where another ref of the same push has moved, and nothing of that: $title",
    async ({ title, code, ref, other }) => {
      const fine = await demo.commitBeside(plainApp(`fine, beside ${title}`), "Fine");
      const { output: file } = await demo.git("rev-parse", `${fine}:app.py`);
      const refs = [`HEAD:${ref}`, `${fine}:refs/${other}`];

      const said = await refuse({ title, refs, asBen: code === "NOT_ALLOWED" }, "http");

      expect(said).toContain(`error[${code}]`);
      const refused = (await demo.git("rev-parse", "ORIG_HEAD:large.bin")).output;
      expect(has(refused)).toBe(true);
      await eventually(() => !has(refused), 60_000);
      expect([fine, file].map(has)).toEqual([true, true]);
      expect(sizeOf(repository())).toBeLessThan(large);
      await eventually(() => !existsSync(join(repository(), "unclaimed")), 60_000);
      await demo.git("push", "deploy", `:refs/${other}`);
    },
  );

  function has(object: string): boolean {
    const words = ["-c", "safe.directory=*", "cat-file", "-e", object];
    return spawnSync("git", words, { cwd: repository() }).status === 0;
  }

  it("is gone in a moment, where a branch that was taken is deleted", async () => {
    demo.write({ "large.bin": randomBytes(large) });
    await demo.commit("Taken");
    expect((await demo.push("HEAD:refs/heads/taken")).exitCode).toBe(0);
    await server.asleepAfterPush("taken--demo");
    expect(sizeOf(repository())).toBeGreaterThan(large);
    await demo.push(":refs/heads/taken");

    await eventually(() => sizeOf(repository()) < large, 60_000);
  });

  it("keeps every release that is kept, also one that main has left", async () => {
    const former = await demo.deploy(plainApp("former"), "Former");
    await demo.git("reset", "--quiet", "--hard", "HEAD~1");
    await demo.deploy(plainApp("current"), "Current");
    await server.settled("demo");
    const left = await demo.commitBeside(plainApp("left"), "Left");
    await demo.push(`${left}:refs/tags/left`);
    await demo.push(":refs/tags/left");
    await eventually(() => !objects().includes(`${left.slice(0, 2)}/${left.slice(2)}`), 60_000);

    const { exitCode, output } = await server.reeve("rollback", "demo", former.commit.slice(0, 10));

    expect(exitCode, output).toBe(0);
    expect((await server.get("demo")).body).toBe("former");
    const fsck = ["-c", "safe.directory=*", "fsck", "--full", "--strict"];
    execFileSync("git", fsck, { cwd: repository(), stdio: "pipe" });
  });
});

/** All over HTTP; over SSH one that each of the three refuses who may: the first look, and the two halves of a deploy. */
function ways({ code = "" }: Refusal): ("http" | "ssh")[] {
  const overSsh = ["NOT_ALLOWED", "MODULE_NOT_FOUND", "APP_UNHEALTHY"];
  return overSsh.includes(code) ? ["http", "ssh"] : ["http"];
}

function sizeOf(folder: string): number {
  return Number(execFileSync("du", ["-sb", folder]).toString().split("\t")[0]);
}
