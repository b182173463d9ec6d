import { existsSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { execa } from "execa";
import type { TestServer } from "./server.ts";

/**
 * A lock on a ref, as a git has it that still runs: it works in the repository, as the front's user, until the
 * lock is left. Without such a one reeve removes the lock before the test gets to it.
 */
export class RefLock {
  readonly #path: string;
  readonly #working: ReturnType<typeof startWorking>;

  constructor(server: TestServer, app: string, ref: string) {
    const repository = server.path(`lib/repositories/${app}.git`);
    this.#path = join(repository, `${ref}.lock`);
    this.#working = startWorking(repository);
    writeFileSync(this.#path, "");
  }

  get isThere(): boolean {
    return existsSync(this.#path);
  }

  /** Its git has ended, and the lock is left behind. */
  async leave(): Promise<void> {
    this.#working.kill();
    await this.#working;
  }
}

function startWorking(folder: string) {
  const { uid, gid } = statSync(folder);
  return execa("sleep", ["600"], { cwd: folder, uid, gid, reject: false });
}
