import { chmodSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { mkdir, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { execa } from "execa";
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from "vitest";
import { evaluatingApp } from "../support/apps.ts";
import { ArgumentWatch } from "../support/argument-watch.ts";
import { PackageIndex } from "../support/package-index.ts";
import { basic } from "../support/people.ts";
import { program, projectRoot, TestServer, type Outcome } from "../support/server.ts";
import { SshClient } from "../support/ssh.ts";
import { addSource, wheelFolder } from "../support/wheels.ts";
import { Workspace } from "../support/workspace.ts";

const indexPassword = "of-the-index-6d01";
const files = {
  ...evaluatingApp("os.environ.get('API_KEY')"),
  "requirements.txt": "greeting==1.0\n",
};

/** What is pasted into a shell that has no terminal, and into one that a person sits at. */
const shells: [name: string, app: string, words: string[]][] = [
  ["sh", "demo", ["sh", "-e"]],
  ["bash", "second", ["bash", "-e"]],
  ["bash on a terminal", "third", onTerminal("bash --norc --noprofile -i")],
];

interface Sitting {
  folder?: string;
  variables?: Record<string, string>;
  /** What the program asks before anything is typed. */
  after?: string;
}

function onTerminal(command: string): string[] {
  return ["script", "-qec", command, "/dev/null"];
}

/** All that is started here, the server and whoever uses it, is watched from its start to its end. */
describe("A11: every user of the machine can read arguments", () => {
  const watch = new ArgumentWatch();
  let index: PackageIndex;
  let server: TestServer;
  let home: string;
  let demo: Workspace;

  beforeAll(async () => {
    const around = mkdtempSync(join(tmpdir(), "reeve-"));
    chmodSync(around, 0o755);
    index = await PackageIndex.start(addSource(wheelFolder()), indexPassword);
    server = await TestServer.start([`package_index = "${index.address(indexPassword)}"`], {
      ssh: true,
      wrapper: watch.words,
      // All that a folder's name may have (layout.ts), for the line that names a file in it.
      home: join(around, "-e.A_9--"),
      environment: { no_proxy: "127.0.0.1" },
    });
    home = mkdtempSync(join(server.workspaces, "home-"));
    await mkdir(join(home, ".ssh"));
  });
  afterAll(async () => {
    await server.remove();
    rmSync(dirname(server.home), { recursive: true, force: true });
    index.stop();
  });

  /** Types something to a program, at once or after a question of its, as somebody of whose secrets git knows nothing. */
  async function type(
    input: string,
    words: string[],
    { folder = home, variables = {}, after = "" }: Sitting = {},
  ): Promise<Outcome> {
    const [file = "", ...rest] = [...watch.words, ...words];
    const started = execa(file, rest, {
      cwd: folder,
      env: {
        HOME: home,
        PATH: process.env["PATH"],
        GIT_TERMINAL_PROMPT: "0",
        REEVE_HOME: server.home,
        ...variables,
      },
      extendEnv: false,
      all: true,
      reject: false,
      // Without a terminal, but for one that `script` makes.
      detached: true,
      timeout: 60_000,
    });
    let said = "";
    const answer = (): void => {
      if (said.includes(after)) started.stdin.end(input);
    };
    started.all.on("data", (chunk: Buffer) => {
      said += chunk.toString();
      if (started.stdin.writable) answer();
    });
    answer();
    const { exitCode = -1, all } = await started;
    return { exitCode, output: all };
  }

  async function reeve(input: string, ...words: string[]): Promise<Outcome> {
    return type(input, [process.execPath, program, ...words]);
  }

  /** The lines that `npm start` prints to be pasted, for an app of this name. */
  function printed(app: string): string {
    const lines = server.said.split("\n").filter((line) => line.startsWith("  "));
    return lines.map((line) => `${line.trim().replace("/demo.git", `/${app}.git`)}\n`).join("");
  }

  /** A repository of which git knows no remote. */
  async function fresh(app: string): Promise<Workspace> {
    const folder = mkdtempSync(join(server.workspaces, `${app}-`));
    const workspace = await Workspace.make(folder, "http://none.invalid/", files);
    await workspace.git("remote", "remove", "deploy");
    return workspace;
  }

  async function page(): Promise<string> {
    return (await server.get("demo")).body;
  }

  it("and what watches them here misses none", async () => {
    const planted = "planted-77c2";
    const deep = `(setsid sh -c 'exec true http://admin:${planted}@git/' &)\nsleep 0.2\n`;

    await type(deep, ["sh"]);

    expect(watch.holding(planted).filter((line) => line.endsWith(" = 0"))).toContainEqual(
      expect.stringContaining(`["true", "http://admin:${planted}@git/"]`),
    );
  });

  it.each(shells)(
    "no token is in those of a push by the lines that are printed, in %s",
    async (_, app, words) => {
      const workspace = await fresh(app);
      if (app === "demo") demo = workspace;
      await writeFile(join(home, ".ssh/id_ed25519.pub"), `${new SshClient(server).publicKey}\n`);

      const { exitCode, output } = await type(`${printed(app)}exit\n`, words, workspace);

      expect(exitCode, output).toBe(0);
      expect(output).toContain(`http://${app}.localhost:${server.port}/`);
      expect(await workspace.remoteCommit()).toBe(await workspace.head());
      expect(watch.holding(server.token)).toEqual([]);
      expect(output + server.said).not.toContain(server.token);
      expect(index.answered).toBeGreaterThan(0);
      expect(watch.holding(indexPassword)).toEqual([]);
    },
  );

  it("no value is in those of a change of variables, here and over SSH", async () => {
    const here = await reeve("in-a-variable-3e8a\n", "vars", "demo", "set", "API_KEY");
    expect(here.exitCode, here.output).toBe(0);
    expect(await page()).toBe("in-a-variable-3e8a");

    const client = new SshClient(server);
    await reeve("", "keys", "add", "admin", client.publicKey);
    const ssh = [
      "ssh",
      ...client.options,
      `${SshClient.user}@127.0.0.1`,
      "--",
      "vars demo set API_KEY",
    ];
    const there = await type("over-ssh-9b14\n", ssh);
    expect(there.exitCode, there.output).toBe(0);
    expect(await page()).toBe("over-ssh-9b14");

    expect(watch.holding("in-a-variable-3e8a")).toEqual([]);
    expect(watch.holding("over-ssh-9b14")).toEqual([]);
  });

  it("no value is in those of a command that asks on a terminal, nor on the screen", async () => {
    const command = `${process.execPath} ${program} vars demo set API_KEY`;

    const { exitCode, output } = await type("typed-unseen-50f7\n", onTerminal(command), {
      after: "API_KEY: ",
    });

    expect(exitCode, output).toBe(0);
    expect(output).toContain("API_KEY: ");
    expect(output).not.toContain("typed-unseen-50f7");
    expect(await page()).toBe("typed-unseen-50f7");
    expect(watch.holding("typed-unseen-50f7")).toEqual([]);
  });

  it("no password is in those of previews that ask for one, nor in the audit log", async () => {
    const password = "open-sesame-2d6b";
    const set = await reeve(`${password}\n`, "options", "demo", "set", "preview_password");
    expect(set.exitCode, set.output).toBe(0);

    const push = await demo.push("HEAD:refs/heads/secret");

    expect(push.exitCode, push.output).toBe(0);
    expect((await server.get("secret--demo")).status).toBe(401);
    const authorization = basic({ name: "preview", token: password });
    expect((await server.get("secret--demo", "/", { authorization })).status).toBe(200);
    expect(watch.holding(password)).toEqual([]);
    expect((await reeve("", "audit")).output).not.toContain(password);
  });

  it("no token is in those of its making, and of the ways in which git may be told it", async () => {
    for (const words of ["accounts add ada", "grant ada demo deploy", "tokens create ada"])
      await reeve("", ...words.split(" "));
    const made = await reeve("", "tokens", "create", "ada", "--days", "1");
    const token = /^reeve_.*$/m.exec(made.output)?.[0] ?? "";
    await demo.git("remote", "remove", "deploy");
    const text = readFileSync(join(projectRoot, "docs/accounts.md"), "utf8");
    const blocks = [...text.matchAll(/^```sh\n(.*?)^```$/gms)].map(([, body = ""]) =>
      body.replaceAll("localhost:8080", `localhost:${server.port}`),
    );
    expect(blocks).toHaveLength(2);

    await demo.commit("By ada");
    const told = { folder: demo.folder, variables: { TOKEN: token } };
    const { exitCode, output } = await type(blocks.join(""), ["sh", "-e"], told);

    expect(exitCode, output).toBe(0);
    expect(output).toMatch(/by ada/);
    expect(watch.holding(token)).toEqual([]);
  });

  it("no password of an index is in those of pip, nor of the pip that it starts for a build", async () => {
    const options = [`package_index = "${index.address(indexPassword)}"`];
    const withPip = await TestServer.start(options, {
      uv: false,
      wrapper: watch.words,
      environment: { no_proxy: "127.0.0.1" },
    });
    onTestFinished(() => withPip.remove());
    const app = await withPip.workspace("demo", { ...files, "requirements.txt": "parting\n" });

    const { exitCode, output } = await app.push();

    expect(exitCode, output).toBe(0);
    expect(watch.starts().filter((line) => /pip-runner.*"greeting"/.test(line))).not.toEqual([]);
    expect(watch.holding(indexPassword)).toEqual([]);
  });

  it("those of all that has a part in a push were watched", () => {
    const starts = watch.starts().join("\n");

    for (const program of [
      "git-remote-http",
      "receive-pack",
      "hooks/update",
      "uwsgi-core",
      "nginx",
      "sshd",
      "uv",
    ])
      expect(starts, program).toMatch(new RegExp(`^execve.*${program}`, "m"));
  });
});
