import { execFileSync } from "node:child_process";
import {
  chmodSync,
  existsSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";
import { execa } from "execa";
import { ask } from "../../src/system/probe.ts";
import { afterEach, beforeAll, describe, expect, it } from "vitest";
import { plainApp } from "../support/apps.ts";
import { makePerson, type Person } from "../support/people.ts";
import { eventually } from "../support/server.ts";
import { followersOf, SshClient } from "../support/ssh.ts";
import { withApp, withServer } from "../support/with-server.ts";

const canary = "/tmp/PWNED";

const server = withServer([], { ssh: true });
const demo = withApp(server, "demo", plainApp("good"));
let ada: Person;
let admin: SshClient;
let front: number;
let sshd: number;

beforeAll(async () => {
  rmSync(canary, { force: true });
  ada = await makePerson(server, "ada", { demo: "deploy" });
  admin = new SshClient(server);
  await server.reeve("keys", "add", "admin", admin.publicKey);
  front = server.servicePid("front");
  sshd = sshdPid();
});
afterEach(async () => {
  expect(server.servicePid("front"), "the front is the process that it was").toBe(front);
  expect(sshdPid(), "sshd is the process that it was").toBe(sshd);
  expect(existsSync(canary), "nothing was run").toBe(false);
  expect((await server.get("demo")).body).toBe("good");
});

function sshdPid(): number {
  // Only of the supervisor's children: a session's sshd has the same words, and any number.
  const words = ["-P", String(server.pid), "-f", `sshd.* -f ${server.path("etc/sshd.conf")}`];
  return Number(execFileSync("pgrep", words).toString());
}

const push = (client: SshClient, ...words: string[]) =>
  demo.start(
    "-c",
    `core.sshCommand=${client.gitSshCommand}`,
    "push",
    client.remote("demo"),
    ...words,
  );

describe("a session over SSH", () => {
  it("pushes with the same words as over HTTP, and lets the next push on at once", async () => {
    demo.write({ "note.txt": "over ssh" });
    await demo.commit("Over SSH");

    const { exitCode, all } = await push(ada.ssh, "HEAD:main");

    expect(exitCode, all).toBe(0);
    expect(all).toMatch(/remote: reeve: demo \w{7} "Over SSH" by ada/);
    expect(all).toMatch(/remote: {3}health {7}healthy \(GET \/ 200\)/);
    expect(all).toMatch(/remote: {3}live {9}http:\/\/demo\.localhost/);
    const again = await demo.deploy({ "note.txt": "over http" }, "Over HTTP");
    expect(again.exitCode, again.output).toBe(0);
  });

  it("refuses a release that does not start, with its traceback, and the ref stays", async () => {
    const before = await demo.remoteCommit();
    demo.write({ "app.py": "import nosuchmodule\n" });
    await demo.commit("A mistake");

    const { exitCode, all } = await push(ada.ssh, "HEAD:main");

    expect(exitCode).toBe(1);
    expect(all).toContain("ModuleNotFoundError: No module named 'nosuchmodule'");
    expect(await demo.remoteCommit()).toBe(before);
    await demo.git("reset", "--quiet", "--hard", "HEAD~1");
  });

  it("does not deploy a preview's push to production, whatever is made of its branch meanwhile", async () => {
    const moved = await server.workspace("moved", plainApp("before"));
    await moved.push();
    const reviewer = await makePerson(server, "rita", { moved: "preview" });
    await moved.git("switch", "--quiet", "--create", "feature");
    moved.write(plainApp("after"));
    await moved.commit("Hold my place");
    const gate = mkdtempSync(join(server.workspaces, "gate-"));
    // Over SSH git asks its hook here when it runs on the server already.
    moved.write({
      ".git/hooks/pre-push": `#!/bin/sh\n: >${gate}/reached\nuntil [ -e ${gate}/go ]; do sleep 0.05; done\n`,
    });
    chmodSync(join(moved.folder, ".git/hooks/pre-push"), 0o755);

    const pushing = moved.start(
      "-c",
      `core.sshCommand=${reviewer.ssh.gitSshCommand}`,
      ...["push", reviewer.ssh.remote("moved"), "feature"],
    );
    await eventually(() => Promise.resolve(existsSync(join(gate, "reached"))));
    await server.reeve("options", "moved", "set", "production_branch=feature");
    writeFileSync(join(gate, "go"), "");
    const { exitCode, all } = await pushing;

    expect(exitCode, all).toBe(1);
    expect(all).toContain("the production branch of moved was changed while this push");
    expect((await server.get("moved")).body).toBe("before");
  });

  it("that is killed in the middle of a push leaves what is served and the ref of one mind, and no lock", async () => {
    await server.settled("demo");
    const before = await demo.remoteCommit();
    demo.write({ ...plainApp("good", { importFor: 2 }), "note.txt": "killed" });
    const commit = await demo.commit("Killed");
    const pushing = push(ada.ssh, "HEAD:main");
    await eventually(async () =>
      (await server.command("deploys", { app: "demo", limit: 20 })).some(
        ({ state }) => state === "preparing",
      ),
    );

    pushing.kill("SIGKILL");
    execFileSync("pkill", ["-KILL", "-f", `ssh .*-i ${ada.ssh.key} `]);
    await pushing;

    await eventually(
      async () =>
        !(await server.command("deploys", { app: "demo", limit: 20 })).some(({ state }) =>
          ["preparing", "proven", "switched"].includes(state),
        ),
      30_000,
    );
    const { commit: live } = await server.json<{ commit: string }>("show", "demo");
    expect(await demo.remoteCommit()).toBe(live);
    expect([before, commit]).toContain(live);
    const next = await demo.deploy(plainApp("good"), "And on");
    expect(next.exitCode, next.output).toBe(0);
  });

  it("runs reeve's own commands, with their exit codes", async () => {
    // What the record says of a deploy changes until it has settled.
    await server.settled("demo");
    const deploys = await ada.ssh.run("deploys demo -n 1");
    const local = await server.reeve("deploys", "demo", "-n", "1");
    expect(deploys).toEqual(local);

    expect((await ada.ssh.run("show nosuch")).exitCode).toBe(1);
    expect((await ada.ssh.run("deploys demo -n many")).exitCode).toBe(2);
    expect((await ada.ssh.run("apps --help")).output).toContain("Usage: reeve apps");
  });

  it("A11: shows to nobody on the machine what a variable is", async () => {
    const secret = "in-a-variable-7f3a";
    await server.reeve("grant", "ada", "demo", "admin");
    const over = new AbortController();
    const change = ada.ssh.run(`vars demo set SECRET=${secret}`).finally(() => over.abort());
    const seen: string[] = [];
    while (!over.signal.aborted) {
      // The client's own arguments are the client's own.
      seen.push(
        ...commandLines().filter((line) => line.includes(secret) && !line.startsWith("ssh")),
      );
      await new Promise((resolve) => setTimeout(resolve, 20));
    }

    expect((await change).exitCode).toBe(0);
    expect((await ada.ssh.run("vars demo")).output).toContain(`SECRET=${secret}`);
    expect(seen).toEqual([]);
    await server.reeve("revoke", "ada", "demo", "admin");
  });

  it("follows a log, and leaves no process when its client goes", async () => {
    const following = ada.ssh.start("logs demo -f -n 0");
    const isRunning = (): boolean => followersOf(server).length > 0;
    await eventually(isRunning);
    await server.get("demo", "/seen");
    let seen = "";
    following.all.on("data", (chunk: Buffer) => (seen += chunk.toString()));
    await eventually(async () => {
      await server.get("demo", "/seen");
      return seen.includes("GET /seen");
    });

    following.kill("SIGKILL");
    await following;

    await eventually(() => !isRunning());
  });
});

describe("S1: no shell, no copy, no other program", () => {
  it.concurrent.each([
    [undefined],
    ["bash"],
    ["sh -c id"],
    ["scp -t /tmp"],
    ["/usr/lib/openssh/sftp-server"],
    ["internal-sftp"],
    ["rsync --server . /"],
    ["git-upload-archive 'demo'"],
    ["git upload-archive 'demo'"],
    ["git-shell"],
    ["git status"],
    ["cvs server"],
    ["up"],
    ["agent --home /"],
    ["front --home /"],
    ["node -e 1"],
    ["constructor"],
    ["__proto__"],
  ])("%j", async (command) => {
    const { exitCode, output } = await ada.ssh.run(command);

    expect(exitCode).toBe(1);
    expect(output).toMatch(/^error\[SSH_REFUSED\]: .*\nhint: .*$/);
  });

  it("a terminal that is asked for is not given, and sftp is none of sshd's", async () => {
    expect((await ada.ssh.run("apps", ["-tt"])).output).not.toContain("\u001b");
    const sftp = await execa(
      "ssh",
      [...ada.ssh.options, "-s", `${SshClient.user}@127.0.0.1`, "sftp"],
      {
        all: true,
        reject: false,
        input: "",
      },
    );
    expect(sftp.exitCode).not.toBe(0);
    expect(sftp.all).toContain("subsystem request failed");
  });
});

describe("S2: a command line that is not to the letter what git writes", () => {
  it.concurrent.each([
    ["git-receive-pack --help"],
    ["git-receive-pack '-x'"],
    ["git-receive-pack '--help'"],
    [`git-upload-pack --upload-pack='touch ${canary}' 'demo'`],
    ["git receive-pack a b"],
    [`git-receive-pack 'demo'; touch ${canary}`],
    [`git-receive-pack 'demo' && touch ${canary}`],
    [`git-receive-pack \`touch ${canary}\``],
    [`git-receive-pack '$(touch ${canary})'`],
    [`git-receive-pack $(touch ${canary})`],
    [`git-receive-pack 'demo'\ntouch ${canary}`],
    [`\ntouch ${canary}`],
    ["git-receive-pack ''demo''"],
    ["git-receive-pack 'demo"],
    ["git-receive-pack demo'"],
    ["git-receive-pack '../demo'"],
    ["git-receive-pack 'shop/../demo'"],
    ["git-receive-pack '/etc'"],
    ["git-receive-pack '~root/demo'"],
    ["git-receive-pack 'demo.git.git'"],
    ["git-receive-pack 'DEMO'"],
    ["git-receive-pack  'demo'"],
    [" git-receive-pack 'demo'"],
    [`vars demo set A=$(touch ${canary})`],
    [`show demo; touch ${canary}`],
    [`show demo | tee ${canary}`],
    [`logs demo > ${canary}`],
    ["show 'demo"],
    ["show --home=/ demo"],
  ])("%j", async (command) => {
    const { exitCode, output } = await ada.ssh.run(command);

    expect(exitCode).toBeGreaterThan(0);
    expect(output).toMatch(/^error(\[\w+\])?: /);
  });

  // As an argument no client could be given so many: execve(2) takes 128 KiB at a time.
  it.each([
    ["120 kilobytes", 120_000],
    ["200 kilobytes", 200_000],
    ["five megabytes", 5_000_000],
  ])("of %s ends the session, and nothing else", async (_, length) => {
    const configuration = join(mkdtempSync(join(server.workspaces, "long-")), "config");
    writeFileSync(configuration, `RemoteCommand git-receive-pack '${"x".repeat(length)}'\n`);
    const words = [...ada.ssh.options, "-F", configuration, `${SshClient.user}@127.0.0.1`];

    const result = await execa("ssh", words, {
      all: true,
      reject: false,
      input: "",
      timeout: 20_000,
    });

    expect(result.exitCode).toBeGreaterThan(0);
    expect((await ada.ssh.run("apps")).exitCode).toBe(0);
  });
});

describe("S3, S5: an environment that the client sends", () => {
  const names = [
    "LD_PRELOAD",
    "GIT_DIR",
    "GIT_CONFIG_COUNT",
    "GIT_SSH_COMMAND",
    "GIT_TRACE",
    "BASH_ENV",
    "ENV",
    "PATH",
    "NODE_OPTIONS",
    "REEVE_KEY",
    "REEVE_HOME",
    "REEVE_CONTROL",
    "LC_X",
    "LANG",
  ];

  it("does not arrive", async () => {
    const values = names.map((name) =>
      name === "LC_X" ? `${name}="() { :;}; touch ${canary}"` : `${name}=/tmp/evil-${name}`,
    );
    const following = ada.ssh.start("logs demo -f", ["-o", `SetEnv ${values.join(" ")}`]);
    await eventually(() => followersOf(server).length > 0);
    const [pid] = followersOf(server);
    const seen = readFileSync(`/proc/${pid ?? 0}/environ`, "utf8")
      .split("\0")
      .filter(Boolean);
    following.kill();
    await following;

    expect(seen.map((line) => line.split("=")[0]).toSorted()).toEqual([
      "LANG",
      "PATH",
      "REEVE_HOME",
      "REEVE_KEY",
      "REEVE_NO_SERVER_FILE",
    ]);
    expect(seen.join()).not.toMatch(/evil|touch/);
    await eventually(() => followersOf(server).length === 0);
  });

  it("git runs with what the front gives it, and with nothing else", async () => {
    await demo.commit("What does git see?");
    demo.write(plainApp("good", { importFor: 1 }));
    await demo.commit("Slowly");
    const pushing = demo.start(
      "-c",
      `core.sshCommand=${ada.ssh.gitSshCommand} -o SetEnv=GIT_TRACE=${canary}`,
      "push",
      ada.ssh.remote("demo"),
      "HEAD:main",
    );
    // It takes the place of the hook and of env: before that, theirs is another environment.
    const words = `git\0receive-pack\0${server.path("lib/repositories")}`;
    const receiving = (): number[] =>
      pidsOf(words).filter((pid) => readOr(`/proc/${pid}/cmdline`).startsWith("git\0"));
    await eventually(() => receiving().length > 0);
    const [pid] = receiving();
    const names = readFileSync(`/proc/${pid ?? 0}/environ`, "utf8")
      .split("\0")
      .filter(Boolean)
      .map((line) => line.split("=")[0]);
    await pushing;

    expect(names.toSorted()).toEqual([
      "GIT_CONFIG_GLOBAL",
      "GIT_CONFIG_NOSYSTEM",
      "GIT_EXEC_PATH",
      "GIT_NO_REPLACE_OBJECTS",
      "GIT_TERMINAL_PROMPT",
      "HOME",
      "LANG",
      "PATH",
      "PWD",
      "REEVE_CONTROL",
      "REEVE_MEMORY",
      "REEVE_SECONDS",
    ]);
  });

  it.each(["version=2", "version=99", "x; rm", `version=2\ntouch ${canary}`, "v".repeat(10_000)])(
    "S3, H12: GIT_PROTOCOL does not arrive: %j",
    async (value) => {
      const result = await execa(
        "ssh",
        [
          ...ada.ssh.options,
          "-o",
          "SendEnv=GIT_PROTOCOL",
          `${SshClient.user}@127.0.0.1`,
          "git-upload-pack 'demo'",
        ],
        { all: true, reject: false, input: "0000", env: { GIT_PROTOCOL: value }, timeout: 20_000 },
      );

      expect(result.all).not.toContain("version 2");
      expect(result.all).toContain("refs/heads/main");
    },
  );
});

describe("S4: forwarding", () => {
  it.each([
    ["a port here", ["-o", "ExitOnForwardFailure=yes", "-R", "0:127.0.0.1:22"]],
    [
      "a socket here",
      ["-o", "ExitOnForwardFailure=yes", "-R", "/tmp/reeve-forwarded:127.0.0.1:22"],
    ],
    ["a tunnel", ["-o", "ExitOnForwardFailure=yes", "-w", "any"]],
  ])("of %s is refused", async (_, more) => {
    const { exitCode, output } = await ada.ssh.run("logs demo", more);

    expect(exitCode, output).toBe(255);
  });

  it("to a port or to the agent's socket leads nowhere", async () => {
    let reached = 0;
    const target = createServer((connection) => {
      reached += 1;
      connection.destroy();
    });
    await new Promise<void>((resolve) => target.listen(0, "127.0.0.1", resolve));
    const { port } = target.address() as { port: number };

    const direct = await ada.ssh.run(undefined, ["-W", `127.0.0.1:${port}`]);
    target.close();

    expect(direct.exitCode).toBe(255);
    expect(reached).toBe(0);
  });

  it("to the agent's socket leads nowhere", async () => {
    const near = join(mkdtempSync(join(server.workspaces, "near-")), "s");
    const far = server.path("run/agent/agent.sock");
    const forwarding = ada.ssh.start(undefined, ["-N", "-L", `${near}:${far}`]);
    await eventually(() => existsSync(near));

    const answer = await ask({ socketPath: near, path: "/v1/apps", headers: {}, within: 5000 });
    forwarding.kill();
    await forwarding;

    expect(answer).toEqual({ failure: "cut off" });
  });
});

describe("S6: the file of keys", () => {
  it("is its owner's alone, and holds no word that somebody handed in with a key", async () => {
    const other = new SshClient(server);
    await server.reeve("keys", "add", "ada", `${other.publicKey}" command="/bin/sh`);

    const text = server.read("lib/front/authorized_keys");
    expect(statSync(server.path("lib/front/authorized_keys")).mode & 0o777).toBe(0o600);
    expect(text).not.toContain("/bin/sh");
    for (const line of text.trim().split("\n"))
      expect(line).toMatch(
        /^restrict,command="exec '[^"]+' '[^"]+' 'SHA256:[^"]+'" [a-z0-9@.-]+ [A-Za-z0-9+/=]+$/,
      );
  });

  it.each([
    [
      "a line break and a second key",
      (key: string) => `${key}\ncommand="/bin/sh" ${key}`,
      "KEY_INVALID",
    ],
    ["options", (key: string) => `command="/bin/sh" ${key}`, "KEY_INVALID"],
    ["another account's key", () => ada.ssh.publicKey, "KEY_TAKEN"],
  ])("takes no %s", async (_, spoil, code) => {
    const before = server.read("lib/front/authorized_keys");

    const { output } = await server.reeve(
      "key",
      "add",
      "admin",
      spoil(new SshClient(server).publicKey),
    );

    expect(output).toContain(`error[${code}]`);
    expect(server.read("lib/front/authorized_keys")).toBe(before);
  });
});

describe("S7: who offers another's public key first", () => {
  it("is who signs", async () => {
    const pretender = join(mkdtempSync(join(server.workspaces, "pretend-")), "id");
    writeFileSync(`${pretender}.pub`, `${admin.publicKey}\n`);
    writeFileSync(pretender, `${admin.publicKey}\n`, { mode: 0o600 });

    const options = ada.ssh.options.slice(0, -2);
    const result = await execa(
      "ssh",
      [
        ...options,
        "-i",
        `${pretender}.pub`,
        "-i",
        ada.ssh.key,
        `${SshClient.user}@127.0.0.1`,
        "accounts",
      ],
      { all: true, reject: false, input: "" },
    );

    expect(result.all).toContain("ada may not do what is the administrator's");
  });
});

describe("S8: other ways in", () => {
  it.each([
    ["a password", ["-o", "PreferredAuthentications=password", "-o", "PubkeyAuthentication=no"]],
    ["questions and answers", ["-o", "PreferredAuthentications=keyboard-interactive"]],
    ["nothing", ["-o", "PreferredAuthentications=none"]],
    ["the host", ["-o", "PreferredAuthentications=hostbased"]],
  ])("by %s there is none", async (_, more) => {
    expect(await ada.ssh.run("apps", more)).toMatchObject({
      exitCode: 255,
      output: expect.stringContaining("Permission denied (publickey)") as string,
    });
  });

  it.each(["root", "reeve-demo", "www-data", "nobody", "ada"])(
    "as %s there is none",
    async (user) => {
      expect((await ada.ssh.run("apps", [], user)).exitCode).toBe(255);
    },
  );
});

describe("S9: a key that is taken back", () => {
  it("ends what it is still being used for", async () => {
    const eve = await makePerson(server, "eve", { demo: "read" });
    const following = eve.ssh.start("logs demo -f");
    await eventually(() => followersOf(server).length > 0);

    await server.reeve("accounts", "remove", "eve");
    const { exitCode, all } = await following;

    expect(exitCode).toBe(1);
    expect(all).toMatch(/(?:the credential that you gave|this key) was taken back/);
    expect((await eve.ssh.run("apps")).exitCode).toBe(255);
  });

  it("leaves every other login whole while the file is written", async () => {
    const over = new AbortController();
    const writing = (async () => {
      while (!over.signal.aborted) {
        const other = new SshClient(server);
        const { output } = await server.reeve("keys", "add", "ada", other.publicKey);
        await server.reeve("keys", "remove", output.split(" ")[0] ?? "");
      }
    })();

    const logins = [];
    for (let round = 0; round < 10; round++) {
      const some = Array.from({ length: 5 }, () => ada.ssh.run("git-upload-pack 'nosuch'"));
      logins.push(...(await Promise.all(some)));
    }
    over.abort();
    await writing;

    expect(logins.filter(({ exitCode }) => exitCode !== 1)).toEqual([]);
  });
});

function commandLines(): string[] {
  return allPids().map((pid) => readOr(`/proc/${pid}/cmdline`));
}

function pidsOf(part: string): number[] {
  return allPids().filter((pid) => readOr(`/proc/${pid}/cmdline`).includes(part));
}

function allPids(): number[] {
  return execFileSync("ls", ["/proc"], { encoding: "utf8" })
    .split("\n")
    .filter((name) => /^\d+$/.test(name))
    .map(Number);
}

function readOr(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return "";
  }
}
