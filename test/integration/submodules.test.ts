import { randomBytes } from "node:crypto";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { follow, hintOf } from "../apps/owner.ts";
import { answering } from "../apps/shapes.ts";
import { GitHost } from "../support/git-host.ts";
import { eventually, TestServer, type Outcome } from "../support/server.ts";
import { wheelFolder } from "../support/wheels.ts";
import type { Workspace } from "../support/workspace.ts";

let server: TestServer;
let host: GitHost;
const most = 400;

beforeAll(async () => {
  host = await GitHost.start();
  server = await TestServer.start([
    `submodule_hosts = "${host.name}"`,
    `submodule_ca_file = "${host.caFile}"`,
    `release_files = ${most}`,
    "release_size = 8",
    "push_limit = 2",
  ]);
});
afterAll(async () => {
  await server.remove();
  host.stop();
});

const reading = (path: string): Record<string, string> => ({
  "app.py": answering(`open('${path}').read()`),
});

/** What `git submodule add` writes, of a commit that may be anywhere. */
async function link(
  workspace: Workspace,
  modules: Record<string, { commit: string; url?: string | undefined }>,
): Promise<void> {
  const entries = Object.entries(modules);
  const named = entries.filter(([, { url }]) => url !== undefined);
  const text = named.map(
    ([path, { url }]) => `[submodule "${path}"]\n\tpath = ${path}\n\turl = ${url}\n`,
  );
  const { output } = await workspace.git("ls-files", "--stage");
  const before = output.split("\n").filter((line) => line.startsWith("160000"));
  const former = before.map((line) => line.split("\t")[1] ?? "");
  if (former.length > 0) await workspace.git("rm", "--cached", "--quiet", ...former);
  workspace.write({ ".gitmodules": text.join("") });
  await workspace.git("add", ".gitmodules");
  for (const [path, { commit }] of entries)
    await workspace.git("update-index", "--add", "--cacheinfo", `160000,${commit},${path}`);
  await workspace.git("commit", "--quiet", "--allow-empty", "--message", "A submodule");
}

async function appWith(
  app: string,
  files: Record<string, string>,
  modules: Parameters<typeof link>[1],
): Promise<Workspace> {
  const workspace = await server.workspace(app, files);
  await link(workspace, modules);
  await server.reeve("create", app);
  const set = await server.reeve("options", app, "set", "submodules=true");
  expect(set.exitCode, set.output).toBe(0);
  return workspace;
}

function kept(app: string): string[] {
  const folder = server.path("lib/submodules", app);
  return ["fetched", "whole"].flatMap((name) =>
    existsSync(join(folder, name)) ? readdirSync(join(folder, name)) : [],
  );
}

function expectLive(push: Outcome): void {
  expect(push.exitCode, push.output).toBe(0);
}

describe("a submodule", () => {
  it("is on the air after the push of the line that the refusal names, and is fetched once", async () => {
    const commit = host.commit("lib", { "word.txt": "first" });
    const workspace = await server.workspace("named", reading("vendor/lib/word.txt"));
    await link(workspace, { "vendor/lib": { commit, url: host.url("lib") } });

    const refused = await workspace.push();
    expect(refused.output).toMatch(
      /error\[BUILD_TREE_INVALID\]: vendor\/lib: .*another repository/,
    );
    await follow(hintOf(refused.output), { server, workspace });
    const push = await workspace.push();

    expectLive(push);
    expect(push.output).toContain(`vendor/lib: ${commit.slice(0, 7)} fetched from ${host.name}`);
    expect((await server.get("named")).body).toBe("first");
    const asked = host.asked.length;
    workspace.write({ "README.md": "new" });
    await workspace.git("add", "README.md");
    await workspace.git("commit", "--quiet", "--message", "Code only");
    expectLive(await workspace.push());
    expect(host.asked).toHaveLength(asked);
    expect((await server.get("named")).body).toBe("first");
  });

  it("moves with the commit that is named, and back by a rollback that asks nobody, as do previews", async () => {
    const older = host.commit("words", { "word.txt": "older", "gone.py": "x = 1\n" });
    const newer = host.commit("words", { "word.txt": "newer" });
    const url = host.url("words");
    const workspace = await appWith("moving", reading("lib/word.txt"), {
      lib: { commit: older, url },
    });
    expectLive(await workspace.push());
    expect((await server.get("moving")).body).toBe("older");
    await link(workspace, { lib: { commit: newer, url } });
    expectLive(await workspace.push());
    expect((await server.get("moving")).body).toBe("newer");
    await server.settled("moving");
    expect(existsSync(server.path("srv/moving/app/lib/gone.py"))).toBe(false);

    const asked = host.asked.length;
    expectLive(await server.reeve("rollback", "moving"));
    expect((await server.get("moving")).body).toBe("older");
    expectLive(await workspace.push("HEAD:refs/heads/other"));
    expect((await server.get("other--moving")).body).toBe("newer");
    expect(host.asked).toHaveLength(asked);

    await server.tidied();
    expect(kept("moving")).toHaveLength(4);
    expectLive(await server.reeve("destroy", "moving", "--yes"));
    expect(existsSync(server.path("lib/submodules/moving"))).toBe(false);
  });

  it("is what the app, its requirements and its packages are found in", async () => {
    const wheels = wheelFolder();
    const wheel = (name: string): Buffer => readFileSync(join(wheels, name));
    const one = "greeting-1.0-py3-none-any.whl";
    const two = "greeting-2.0-py3-none-any.whl";
    const ofLibrary = {
      Procfile: "wsgi: web:app\n",
      "web.py": answering("greeting.version", { imports: "import greeting" }),
      "requirements.txt": "--no-index\n--find-links ./wheels\ngreeting\n",
    };
    const url = host.url("whole");
    const first = host.commit("whole", { ...ofLibrary, [`wheels/${one}`]: wheel(one) });
    const both = { [`wheels/${one}`]: wheel(one), [`wheels/${two}`]: wheel(two) };
    const second = host.commit("whole", { ...ofLibrary, ...both });
    const workspace = await appWith(
      "inside",
      { "README.md": "" },
      { site: { commit: first, url } },
    );
    await server.reeve("options", "inside", "set", "root=site");

    expectLive(await workspace.push());
    expect((await server.get("inside")).body).toBe("1.0");
    await link(workspace, { site: { commit: second, url } });
    expectLive(await workspace.push());
    expect((await server.get("inside")).body).toBe("2.0");
  });

  it("may have submodules of its own, and be on a server that gives only what its branches name", async () => {
    const inner = host.commit("inner", { "word.txt": "inner" });
    host.commit("inner", { "word.txt": "after" });
    const outer = host.commit("outer", {
      "deep/inner": { commit: inner },
      ".gitmodules": `[submodule "x"]\n\tpath = deep/inner\n\turl = ${host.url("old/inner")}\n`,
    });
    const workspace = await appWith("nested", reading("a/outer/deep/inner/word.txt"), {
      "a/outer": { commit: outer, url: host.url("outer") },
    });

    expectLive(await workspace.push());
    expect((await server.get("nested")).body).toBe("inner");
  });
});

describe("a submodule that is not fetched", () => {
  const some = (): string => host.commit("some", { "word.txt": "some" });
  const pointer = `version https://git-lfs.github.com/spec/v1\noid sha256:${"b".repeat(64)}\nsize 20000\n`;
  const files = Object.fromEntries(Array.from({ length: most }, (_, at) => [`${at}`, ""]));
  const many = Object.fromEntries(
    Array.from({ length: 150 }, (_, at) => [`${at}`, randomBytes(20_000)]),
  );
  let refused: Workspace;

  beforeAll(async () => {
    refused = await appWith("refused", reading("lib/word.txt"), {});
  });

  it.each<[string, () => { url?: string; commit?: string }, RegExp]>([
    [
      "beside the repository",
      () => ({ url: "../lib.git" }),
      /\.\.\/lib\.git is an address beside .*url https:\/\/HOST/s,
    ],
    [
      "of a host that is not allowed",
      () => ({ url: "https://github.com/a/b" }),
      /from github\.com/,
    ],
    ["that leads on", () => ({ url: host.url("moved/some") }), /That server leads on/],
    ["that asks for a password", () => ({ url: host.url("closed/some") }), /has no password/],
    ["that is not there", () => ({ url: host.url("nothing") }), /git could not fetch/],
    [
      "whose commit was not pushed",
      () => ({ url: host.url("some"), commit: "1".repeat(40) }),
      /does not have the commit 1{40}.*git submodule foreach git push/s,
    ],
    ["that nothing names", () => ({}), /no \.gitmodules says where.*git rm --cached lib/s],
    [
      "with a pointer of Git LFS",
      () => ({ url: host.url("lfs"), commit: host.commit("lfs", { "logo.psd": pointer }) }),
      /lib\/logo\.psd: a pointer of Git LFS/,
    ],
    [
      "with more files than a release has",
      () => ({ url: host.url("large"), commit: host.commit("large", files) }),
      /RELEASE_TOO_LARGE.*more than 400 files/,
    ],
    [
      "with files that are larger than a release",
      () => ({
        url: host.url("zeros"),
        commit: host.commit("zeros", { x: Buffer.alloc(9 << 20) }),
      }),
      /RELEASE_TOO_LARGE.*larger than 8 MiB/,
    ],
    [
      "with one file that is larger than a push",
      () => ({ url: host.url("big"), commit: host.commit("big", { x: randomBytes(3 << 20) }) }),
      /RELEASE_TOO_LARGE.*lib: with what .*\/big\.git has .* larger than a push may be/,
    ],
    [
      "with many files that are larger together than a push",
      () => ({ url: host.url("pack"), commit: host.commit("pack", many) }),
      /RELEASE_TOO_LARGE.*lib: with what .*\/pack\.git has .* larger than a push may be/,
    ],
    [
      "that is larger than a push, on a server that gives only its branches",
      () => ({ url: host.url("old/big"), commit: host.commit("big", { x: randomBytes(3 << 20) }) }),
      /RELEASE_TOO_LARGE.*lib: with what .*\/big\.git has .* larger than a push may be/,
    ],
    [
      "of another's ssh",
      () => ({ url: "git@github.com:a/b.git" }),
      /git config -f \.gitmodules submodule\.lib\.url https:\/\/github\.com\/a\/b\.git/,
    ],
    [
      "at a path without a host",
      () => ({ url: "/srv/b.git" }),
      /\/srv\/b\.git .*git config -f \.gitmodules submodule\.lib\.url https:\/\/HOST\/PATH/s,
    ],
  ])("is refused with what to do: one %s", async (_, made, words) => {
    await link(refused, { lib: { commit: some(), ...made() } });

    const push = await refused.push();

    expect(push.exitCode, push.output).toBe(1);
    expect(push.output).toMatch(words);
    expect(kept("refused")).toEqual([]);
    expect(server.runs(/git-remote-https/)).toBe(false);
  });

  it("is refused where more are in each other than anybody has, or more beside each other", async () => {
    let commit = host.commit("matryoshka", { "word.txt": "last" });
    const url = host.url("matryoshka");
    for (let depth = 0; depth < 6; depth += 1)
      commit = host.commit("matryoshka", {
        in: { commit },
        ".gitmodules": `[submodule "in"]\n\tpath = in\n\turl = ${url}\n`,
      });
    const one = { commit: some(), url: host.url("some") };
    const many = Array.from({ length: 101 }, (_, at) => [`lib${at}`, one] as const);

    await link(refused, { lib: { commit, url } });
    expect((await refused.push()).output).toMatch(/lib(\/in){5}: submodules may be 5 deep/);
    await link(refused, Object.fromEntries(many));
    expect((await refused.push()).output).toMatch(/a commit may have 100 submodules/);
    expect(kept("refused")).toEqual([]);
  });

  it("ends with its deploy, and leaves nothing", async () => {
    const hanging = new Promise<void>((resolve) => (host.onHanging = resolve));
    await link(refused, { lib: { commit: some(), url: host.url("hanging/some") } });
    const pushing = refused.push();
    await hanging;

    const cancel = await server.reeve("cancel", "refused");

    expect(cancel.exitCode, cancel.output).toBe(0);
    expect((await pushing).output).toMatch(/DEPLOY_CANCELLED/);
    expect(kept("refused")).toEqual([]);
    await eventually(() => !server.runs(/git-remote-https/));
  });

  it("is fetched once the administrator has allowed its host, by the line that was told", async () => {
    const other = await GitHost.start();
    const commit = other.commit("lib", { "word.txt": "allowed" });
    const workspace = await appWith("allowed", reading("lib/word.txt"), {
      lib: { commit, url: other.url("lib") },
    });
    const [, line = ""] = /(submodule_hosts = .*")/.exec((await workspace.push()).output) ?? [];
    await server.interrupt();
    await server.write("etc/server.toml", `${line}\nsubmodule_ca_file = "${other.caFile}"\n`);
    await server.up();

    expectLive(await workspace.push());
    expect((await server.get("allowed")).body).toBe("allowed");
    other.stop();
  });
});
