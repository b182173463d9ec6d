import { chmodSync, mkdtempSync, readFileSync, rmSync, utimesSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { TestServer } from "./server.ts";

/** An administrator's own inis, beside those of reeve's: each writes down when it boots, and dies of it. */
export class Dying {
  readonly #server: TestServer;
  /** Goes with the server. */
  readonly #folder: string;
  #last = 0;

  constructor(server: TestServer) {
    this.#server = server;
    this.#folder = mkdtempSync(server.path("dying-"));
    chmodSync(this.#folder, 0o777);
    writeFileSync(
      join(this.#folder, "dying.py"),
      `import os, time
name = os.environ["NAME"]
with open(f"${this.#folder}/{name}.boots", "a") as boots:
    boots.write(f"{time.monotonic()}\\n")
if not os.path.exists(f"${this.#folder}/mended"):
    raise SystemExit("I die at my start")
def app(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [b"mended"]
`,
    );
  }

  start(count: number): string[] {
    const names = Array.from({ length: count }, () => `dying${++this.#last}`);
    for (const name of names) writeFileSync(this.#ini(name), this.#text(name));
    return names;
  }

  end(names: string[]): void {
    for (const name of names) rmSync(this.#ini(name));
  }

  /** From now on all of them start well, when they are started. */
  mend(): void {
    writeFileSync(join(this.#folder, "mended"), "");
  }

  touch(name: string): void {
    const later = Date.now() / 1000 + 1;
    utimesSync(this.#ini(name), later, later);
  }

  socket(name: string): string {
    return join(this.#folder, `${name}.sock`);
  }

  /** Milliseconds between its starts. */
  pauses(name: string): number[] {
    const boots = this.#boots(name);
    return boots.slice(1).map((boot, index) => (boot - (boots[index] ?? 0)) * 1000);
  }

  starts(name: string): number {
    return this.#boots(name).length;
  }

  #boots(name: string): number[] {
    try {
      return readFileSync(join(this.#folder, `${name}.boots`), "utf8")
        .trim()
        .split("\n")
        .map(Number);
    } catch {
      return [];
    }
  }

  #ini(name: string): string {
    return this.#server.path("etc/vassals", `${name}.ini`);
  }

  #text(name: string): string {
    return `[uwsgi]
plugins = python3
http-socket = ${this.socket(name)}
master = true
workers = 1
need-app = true
env = NAME=${name}
pythonpath = ${this.#folder}
module = dying:app
logto2 = ${this.#folder}/${name}.log
uid = nobody
gid = nogroup
`;
  }
}
