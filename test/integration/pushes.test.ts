import { existsSync, mkdtempSync } from "node:fs";
import { execFileSync } from "node:child_process";
import { request } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { execa } from "execa";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { evaluatingApp, plainApp } from "../support/apps.ts";
import { hintOf } from "../support/objects.ts";
import { makePerson, type Person } from "../support/people.ts";
import { SshClient } from "../support/ssh.ts";
import { TestServer } from "../support/server.ts";
import type { Workspace } from "../support/workspace.ts";

const findTheRoot = '["git", "rev-parse", "--show-toplevel"]';

describe("what is pushed, and what the pusher reads", () => {
  let around: string;
  let server: TestServer;
  let demo: Workspace;
  let first: string;
  let ada: Person;

  /** How many deploys there were. */
  const deploys = async (): Promise<number> =>
    (await server.command("show", { app: "demo" })).deploys;

  beforeAll(async () => {
    // A repository above the server's folder, as reeve's own checkout is.
    around = mkdtempSync(join(tmpdir(), "reeve-"));
    execFileSync("git", ["init", "--quiet", around]);
    execFileSync("chmod", ["755", around]);
    server = await TestServer.start([], { ssh: true, home: join(around, "home") });
    demo = await server.workspace("demo", plainApp("first"));
    await demo.push();
    first = await demo.head();
    ada = await makePerson(server, "ada", { demo: "admin" });
  });
  afterAll(async () => {
    await server.remove();
    execFileSync("rm", ["-r", around]);
  });

  describe("an annotated tag in the place of a commit", () => {
    const tags: [title: string, make: () => Promise<string>][] = [
      ["a tag", () => tag("v1", first)],
      ["a tag of a tag", async () => tag("v1-again", await tag("v1-inner", first))],
    ];

    async function tag(name: string, of: string): Promise<string> {
      await demo.git("tag", "--force", "--annotate", "--message", name, name, of);
      return name;
    }

    it.each(tags)(
      "is judged before anything is built, with the line that works: %s",
      async (_, make) => {
        await demo.deploy(plainApp("second"), "Second");
        const before = await deploys();
        const name = await make();

        const push = await demo.push(`+${name}:refs/heads/main`);

        expect(push.exitCode).toBe(1);
        expect(push.output).toContain(
          "error[REF_REFUSED]: main would lead to a tag, and a branch leads to a commit",
        );
        expect(await deploys()).toBe(before);
        const next = await demo.run(hintOf(push.output));
        expect(next.exitCode, next.output).toBe(0);
        expect((await server.get("demo")).body).toBe("first");
      },
    );

    it("is judged the same for another branch", async () => {
      const push = await demo.push(`${await tag("v2", first)}:refs/heads/it's`);

      expect(push.output).toContain("error[REF_REFUSED]: it's would lead to a tag");
      const next = await demo.run(hintOf(push.output));
      expect(next.exitCode, next.output).toBe(0);
      await demo.push(":refs/heads/it's");
    });

    it.each(["tree", "blob"])("that stands for a %s is told to push a commit", async (type) => {
      const id = (await demo.git("rev-parse", type === "tree" ? "HEAD:" : "HEAD:app.py")).output;
      const name = await tag(`of-a-${type}`, id.trim());
      // The client itself takes it for a tag like any other.
      const push = await demo.push(`+${name}:refs/heads/feature`);

      expect(push.exitCode).toBe(1);
      expect(push.output).toMatch(/error\[REF_REFUSED\]|cannot be resolved|src refspec/);
    });
  });

  describe("a branch whose name is a folder of another's", () => {
    const lines = async (there: string, wanted: string): Promise<string> => {
      await demo.git("push", "--quiet", "deploy", `HEAD:refs/heads/${there}`);
      const push = await demo.push(`HEAD:refs/heads/${wanted}`);
      expect(push.exitCode).toBe(1);
      expect(push.output).toContain(`${wanted} cannot be a branch beside ${there}:`);
      expect(push.output).not.toMatch(/checked out|on disk already|INTERNAL/);
      return hintOf(push.output);
    };

    it("is refused before anything is built, with another name that works", async () => {
      const line = await lines("topic", "topic/part");

      const next = await demo.run(line);

      expect(next.exitCode, next.output).toBe(0);
      expect(next.output).toContain("http://topic-part--demo.localhost");
    });

    it("is told which ones to remove where they are below it, and is on the air then", async () => {
      const line = await lines("team/work", "team");

      const removed = await demo.run(line);
      const next = await demo.push("HEAD:refs/heads/team");

      expect(removed.exitCode, removed.output).toBe(0);
      expect(next.output).toContain("http://team--demo.localhost");
      await demo.push(":topic", ":topic-part", ":team");
    });
  });

  it("a branch or a tag with a space that is none to git is taken", async () => {
    await demo.git("tag", "v\u00a01");
    const push = await demo.push("HEAD:refs/heads/wide\u3000name", "refs/tags/v\u00a01");

    expect(push.exitCode, push.output).toBe(0);
    expect(push.output).toContain("http://wide-name--demo.localhost");
    await demo.push(":refs/heads/wide\u3000name");
  });

  describe("a push that deploys nothing", () => {
    it("of a tag says so, and what would", async () => {
      await demo.deploy(plainApp("third"), "Third");
      await demo.git("tag", "old", first);

      const push = await demo.push("old");

      expect(push.output).toContain("reeve: nothing was deployed: tags are only kept.");
      const next = await demo.run(hintOf(push.output));
      expect(next.exitCode, next.output).toBe(0);
      expect((await server.get("demo")).body).toBe("first");
    });

    it("of a tag of what is on the air says that", async () => {
      await demo.git("tag", "now", first);

      const push = await demo.push("now");

      expect(push.output).toContain("nothing was deployed: tags are only kept, and main has this");
    });

    it("of a branch without a preview says so, and what would", async () => {
      await server.reeve("options", "demo", "set", "previews=off");
      await demo.git("reset", "--quiet", "--hard", first);
      demo.write(plainApp("fourth"));
      await demo.commit("Fourth");

      const push = await demo.push("HEAD:refs/heads/work");

      await server.reeve("options", "demo", "set", "previews=all");
      expect(push.output).toContain("reeve: work is kept, and not on the air");
      expect(push.output).toContain("reeve: nothing was deployed. To put a commit on the air: ");
      const next = await demo.run(hintOf(push.output));
      expect(next.exitCode, next.output).toBe(0);
      expect((await server.get("demo")).body).toBe("fourth");
    });

    it("is not said where something is deployed or removed", async () => {
      const push = await demo.deploy(plainApp("fifth"), "Fifth");
      const end = await demo.push(":refs/heads/work");

      expect(push.output + end.output).not.toContain("nothing was deployed");
    });
  });

  describe("many tags", () => {
    const names = (count: number): string[] =>
      Array.from({ length: count }, (_, number) => `many-${number}`);

    async function makeTags(count: number): Promise<void> {
      const lines = names(count).map((name) => `update refs/tags/${name} ${first}\n`);
      const options = { cwd: demo.folder, input: lines.join("") };
      await execa("git", ["update-ref", "--stdin"], options);
    }

    it("go through beside a branch, 230 of them", async () => {
      await makeTags(230);
      demo.write(plainApp("sixth"));
      await demo.commit("Sixth");

      const push = await demo.push("--tags", "+HEAD:main");

      expect(push.exitCode, push.output).toBe(0);
      expect(await demo.remoteCommit("refs/tags/many-229")).toBe(first);
      expect((await server.get("demo")).body).toBe("sixth");
    });

    it("are too many by the thousand, and some of them are pushed as the hint says", async () => {
      await makeTags(1300);

      const push = await demo.push("--tags");

      expect(push.exitCode).toBe(1);
      expect(push.output).toMatch(
        /error\[REF_REFUSED\]: this push moves 1\d{3} refs, and 1000 are/,
      );
      const hint = hintOf(push.output);
      expect(hint).toBe("git push deploy 'refs/tags/v1.*'");
      await demo.git("tag", "v1.2", first);
      const next = await demo.run(hint);
      expect(next.output).toContain("v1.2 -> v1.2");
    });
  });

  it("a mirror of a clone, with what it knows of other remotes, is told what to push instead", async () => {
    const mirror = await server.workspace("mirrored", plainApp("mirrored"));
    await mirror.git("update-ref", "refs/remotes/origin/main", "HEAD");

    const push = await mirror.push("--mirror");

    expect(push.exitCode).toBe(1);
    expect(push.output).toContain(
      "error[REF_REFUSED]: refs/remotes/origin/main is neither a branch nor a tag",
    );
    expect((await server.get("mirrored")).body).toBe("mirrored");
    const next = await mirror.run(hintOf(push.output));
    expect(next.exitCode, next.output).toBe(0);
  });

  describe.each(["http", "ssh"])("a shallow clone, over %s", (via) => {
    async function clone(remote: string): Promise<Workspace> {
      const shallow = await server.workspace("demo", {});
      const folder = join(shallow.folder, "clone");
      await shallow.git("clone", "--quiet", "--depth=1", `file://${demo.folder}`, folder);
      const inClone = shallow.within(folder);
      await inClone.git("remote", "add", "deploy", remote);
      await inClone.git("config", "core.sshCommand", ada.ssh.gitSshCommand);
      return inClone;
    }
    const remote = (app: string): string =>
      via === "ssh" ? ada.ssh.remote(app) : server.remote(app);

    it("is taken where the server has what comes before, and leaves a whole repository", async () => {
      await demo.push("+HEAD:main");
      demo.write(plainApp(`shallow ${via}`));
      const tip = await demo.commit("One more");
      const shallow = await clone(remote("demo"));

      // Of what the branch had it knows nothing, so that its git asks for force.
      const push = await shallow.push("+HEAD:main");

      expect(push.exitCode, push.output).toBe(0);
      expect((await server.get("demo")).body).toBe(`shallow ${via}`);
      expect(await demo.remoteCommit()).toBe(tip);
      expect(existsSync(server.path("lib/repositories/demo.git/shallow"))).toBe(false);
      const whole = join(shallow.folder, "whole");
      await shallow.git("clone", "--quiet", server.remote("demo"), whole);
      const count = await shallow.git("-C", whole, "rev-list", "--count", "HEAD");
      expect(Number(count.output)).toBeGreaterThan(1);
      await shallow.git("-C", whole, "fsck", "--strict");
    });

    it("is refused where it has not, with the line that works", async () => {
      const app = `new-${via}`;
      await server.reeve("create", app);
      await server.reeve("grant", "ada", app, "deploy");
      const shallow = await clone(remote(app));

      const push = await shallow.push("HEAD:work");

      expect(push.exitCode).toBe(1);
      expect(push.output).toContain("error[SHALLOW_PUSH]");
      const line = /push again: (git fetch --unshallow) \(/.exec(push.output)?.[1];
      await shallow.run(line ?? "");
      const next = await shallow.push("HEAD:work");
      expect(next.exitCode, next.output).toBe(0);
    });
  });

  describe("below the server's own domain", () => {
    const ask = (path: string, authorization?: string): Promise<number> =>
      new Promise((resolve, reject) => {
        // Node asks the system for the name, which knows none below localhost.
        const asked = request(
          `http://localhost:${server.port}${path}`,
          { headers: authorization === undefined ? {} : { authorization } },
          (answer) => {
            answer.resume();
            resolve(answer.statusCode ?? 0);
          },
        );
        asked.on("error", reject).end();
      });
    const refs = "/demo.git/info/refs?service=git-receive-pack";

    it("git answers whoever shows a token, and nothing else is there", async () => {
      const basic = `Basic ${Buffer.from(`admin:${server.token}`).toString("base64")}`;

      expect(await ask(`/git${refs}`)).toBe(401);
      expect(await ask(`/git${refs}`, basic)).toBe(200);
      for (const path of [refs, "/", `/git/..${refs}`, `/git/git${refs}`, `/x/git${refs}`])
        expect(await ask(path, basic), path).toBe(404);
    });

    it("a git that is written in Python pushes and clones", async () => {
      const code = [
        "import sys",
        "from dulwich import porcelain",
        "folder, remote, copy = sys.argv[1:]",
        "porcelain.push(folder, remote, b'+HEAD:refs/heads/main')",
        "porcelain.clone(remote, copy)",
      ];
      demo.write(plainApp("by dulwich"));
      await demo.commit("By dulwich");
      const words = ["run", "--no-project", "--with", "dulwich==1.2.21", "python", "-c"];
      const args = [demo.folder, server.remoteBelow("demo"), join(demo.folder, "copy")];

      const ran = await execa(
        server.path("tools/uv/bin/uv"),
        [...words, code.join("\n"), ...args],
        {
          all: true,
          reject: false,
        },
      );

      expect(ran.exitCode, ran.all).toBe(0);
      expect((await server.get("demo")).body).toBe("by dulwich");
      expect(existsSync(join(demo.folder, "copy/app.py"))).toBe(true);
      demo.write({ copy: null });
    });
  });

  it("Git LFS, which asks by a hook before git pushes, shows how to push past it", async () => {
    const client = new SshClient(server);
    await server.reeve("keys", "add", "ada", client.publicKey);

    const asked = await server.ask({
      ...{ host: `git.localhost:${server.port}`, path: "/demo.git/info/lfs/objects/batch" },
      ...{ method: "POST", body: '{"operation":"upload","objects":[]}' },
      headers: {
        authorization: `Basic ${Buffer.from(`admin:${server.token}`).toString("base64")}`,
        "content-type": "application/vnd.git-lfs+json",
      },
    });
    const overSsh = await client.run("git-lfs-authenticate demo.git upload");

    // What it shows of any other answer is the status, in words of its own.
    expect(asked.headers["content-type"]).toBe("application/vnd.git-lfs+json");
    const { message } = JSON.parse(asked.body) as { message: string };
    for (const words of [message, overSsh.output]) {
      expect(words).toContain("this server keeps no files of Git LFS");
      expect(words).toContain("`git push --no-verify deploy main`");
    }
  });

  it("no git that an app starts finds a repository above it, nor one that a build starts", async () => {
    const running = `subprocess.run(${findTheRoot}, capture_output=True, text=True)`;
    const push = await demo.deploy(evaluatingApp(`${running}.stderr`, "import subprocess"), "Ask");
    expect(push.exitCode, push.output).toBe(0);
    expect((await server.get("demo")).body).toContain("not a git repository");

    const build = await demo.deploy({
      "requirements.txt": "./asking\n",
      "asking/pyproject.toml":
        '[build-system]\nrequires = []\nbuild-backend = "backend"\nbackend-path = ["."]\n',
      "asking/backend.py": `import subprocess\ndef build_wheel(*args, **more):\n    raise SystemExit(${running}.stderr)\n`,
    });

    expect(build.exitCode).toBe(1);
    expect(build.output).toContain("not a git repository");
  });
});
