import { spawn, spawnSync, type ChildProcess } from "node:child_process";
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { childrenOf } from "./processes.ts";
import { eventually, projectRoot, type Outcome } from "./server.ts";

export const unitFolder = join(projectRoot, "systemd");

/** What Debian's systemd brings and the units name; none of it does anything. */
const others = ["basic", "default", "multi-user", "network", "shutdown", "sysinit"];

/** A copy of the units with what they need beside them, started by the Node that runs the tests. */
export function copyUnits(): string {
  const folder = mkdtempSync(join(tmpdir(), "reeve-units-"));
  cpSync(unitFolder, folder, { recursive: true });
  for (const name of ["prepare", "agent", "front"]) {
    const path = join(folder, `reeve-${name}.service`);
    writeFileSync(path, readFileSync(path, "utf8").replace("/usr/bin/node", process.execPath));
  }
  for (const name of others)
    writeFileSync(join(folder, `${name}.target`), "[Unit]\nDefaultDependencies=no\n");
  return folder;
}

/** Whether this machine lets a systemd run in namespaces and control groups of its own. */
export function canRunSystemd(): boolean {
  const words = ["--mount", "--pid", "--fork", "--net", "--cgroup", "mount", "-t", "cgroup2"];
  const { status } = spawnSync("unshare", [...words, "none", tmpdir()], { stdio: "ignore" });
  return process.getuid?.() === 0 && status === 0;
}

/** A systemd that runs reeve's units, on a machine that has a network, users and folders of its own. */
export class Systemd {
  readonly #process: ChildProcess;
  readonly #units = copyUnits();
  #said = "";
  /** Its first process, as it is numbered outside. */
  #first = 0;

  private constructor() {
    const words = [join(projectRoot, "test/support/systemd/start.sh"), projectRoot, this.#units];
    this.#process = spawn("sh", words, { stdio: ["ignore", "pipe", "pipe"] });
    for (const stream of [this.#process.stdout, this.#process.stderr])
      stream?.on("data", (chunk: Buffer) => (this.#said += chunk.toString()));
  }

  static async start(): Promise<Systemd> {
    const systemd = new Systemd();
    try {
      await eventually(() => systemd.#runs(), 20_000);
    } catch (error) {
      await systemd.remove();
      throw new Error(`systemd did not start:\n${systemd.#said}`, { cause: error });
    }
    return systemd;
  }

  /** Runs a command on that machine, as root there. */
  run(...words: string[]): Outcome {
    const environment = ["env", "-i", `PATH=${process.env["PATH"] ?? ""}`, "HOME=/root"];
    const enter = ["--target", String(this.#first), "--all", ...environment];
    const result = spawnSync("nsenter", [...enter, ...words], {
      encoding: "utf8",
      timeout: 60_000,
    });
    return { exitCode: result.status ?? -1, output: result.stdout + result.stderr };
  }

  /** The same with what one of the services sees of the machine. */
  runBeside(service: string, ...words: string[]): Outcome {
    const target = ["--target", String(this.pidOf(service))];
    return this.run("nsenter", ...target, "--mount", "--net", "--ipc", ...words);
  }

  /** A service's main process, as it is numbered there. */
  pidOf(service: string): number {
    const shown = this.run("systemctl", "show", "--property=MainPID", "--value", service);
    return Number(shown.output.trim());
  }

  async remove(): Promise<void> {
    const gone = new Promise<void>((resolve) => this.#process.once("exit", () => resolve()));
    if (this.#process.exitCode === null) {
      this.#process.kill("SIGTERM");
      await gone;
    }
    rmSync(this.#units, { recursive: true, force: true });
  }

  #runs(): boolean {
    if (this.#process.exitCode !== null) throw new Error("it ended");
    const below = (pid: number): number[] =>
      childrenOf(pid).flatMap((child) => [child, ...below(child)]);
    this.#first = below(this.#process.pid ?? 0).find(isSystemd) ?? 0;
    if (this.#first === 0) return false;
    return this.run("systemctl", "list-units", "default.target").output.includes("active");
  }
}

function isSystemd(pid: number): boolean {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, "utf8").startsWith("/lib/systemd/systemd\0");
  } catch {
    // It ended while it was looked at: what systemd starts before itself does.
    return false;
  }
}
