import { execFileSync } from "node:child_process";
import { mkdtempSync, readdirSync, readFileSync } from "node:fs";
import { userInfo } from "node:os";
import { join } from "node:path";
import { execa } from "execa";
import type { Outcome, TestServer } from "./server.ts";

/** Somebody with a key of their own, and a client that knows no other. */
export class SshClient {
  readonly key: string;
  readonly #server: TestServer;

  constructor(server: TestServer) {
    this.#server = server;
    this.key = join(mkdtempSync(join(server.workspaces, "key-")), "id");
    execFileSync("ssh-keygen", ["-q", "-t", "ed25519", "-N", "", "-C", "a test", "-f", this.key]);
  }

  get publicKey(): string {
    return readFileSync(`${this.key}.pub`, "utf8").trim();
  }

  /** The login user: with root it is the front's. */
  static get user(): string {
    return process.getuid?.() === 0 ? "reeve" : userInfo().username;
  }

  get options(): string[] {
    const known = ["-o", "StrictHostKeyChecking=no", "-o", "UserKnownHostsFile=/dev/null"];
    const alone = ["-F", "/dev/null", "-o", "IdentitiesOnly=yes", "-o", "IdentityAgent=none"];
    const quiet = ["-o", "BatchMode=yes", "-o", "LogLevel=ERROR"];
    return [...alone, ...known, ...quiet, "-p", String(this.#server.sshPort), "-i", this.key];
  }

  /** `ssh reeve@host COMMAND`; `more` are options of ssh's. */
  async run(
    command: string | undefined,
    more: string[] = [],
    user = SshClient.user,
  ): Promise<Outcome> {
    const result = await this.start(command, more, user);
    return { exitCode: result.exitCode ?? -1, output: result.all };
  }

  start(
    command: string | undefined,
    more: string[] = [],
    user = SshClient.user,
    input: string | Buffer = "",
  ) {
    const words = [
      ...this.options,
      ...more,
      `${user}@127.0.0.1`,
      ...(command === undefined ? [] : ["--", command]),
    ];
    return execa("ssh", words, { all: true, reject: false, input, timeout: 60_000 });
  }

  /** For git: what it starts in ssh's place. */
  get gitSshCommand(): string {
    return ["ssh", ...this.options].join(" ");
  }

  remote(app: string): string {
    return `ssh://${SshClient.user}@127.0.0.1:${this.#server.sshPort}/${app}`;
  }
}

/** Who follows a log of a server's over SSH: what took the place of the hook and of env. */
export function followersOf({ home }: TestServer): number[] {
  const pids = readdirSync("/proc").filter((name) => /^\d+$/.test(name));
  const has = (pid: string, file: string, words: string): boolean => {
    try {
      return `\0${readFileSync(`/proc/${pid}/${file}`, "utf8")}`.includes(`\0${words}\0`);
    } catch {
      return false;
    }
  };
  return pids
    .filter(
      (pid) => has(pid, "cmdline", "over-ssh\0logs") && has(pid, "environ", `REEVE_HOME=${home}`),
    )
    .map(Number);
}
