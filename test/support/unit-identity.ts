import { execFileSync } from "node:child_process";
import { onTestFinished } from "vitest";
import type { Command, System, Identity, RunOptions } from "../../src/system/system.ts";
import { LocalSystem } from "../../src/system/system.ts";
import { ownIdentity } from "../../src/system/identity.ts";

export const isRoot = process.getuid?.() === 0;

/** Somebody who owns nothing; without root there is nobody to be but oneself. */
export const nobody: Identity = isRoot
  ? { name: "nobody", uid: idOf("-u"), gid: idOf("-g") }
  : ownIdentity();

function idOf(option: string): number {
  return Number(execFileSync("id", [option, "nobody"], { encoding: "utf8" }));
}

/** Debian 13's Node lets no process give up its rights, because it may use io_uring (CVE-2024-22017). */
export const canDropRoot = !isRoot || canSetIdentity();

function canSetIdentity(): boolean {
  try {
    process.setegid?.(process.getegid?.() ?? 0);
    return true;
  } catch {
    return false;
  }
}

/** Until the test ends this process has no more rights than nobody, as on a machine without root. */
export function dropRoot(): void {
  if (!isRoot) return;
  process.setegid?.(nobody.gid);
  process.seteuid?.(nobody.uid);
  onTestFinished(() => {
    process.seteuid?.(0);
    process.setegid?.(0);
  });
}

/** The real host, that does not take other identities. */
export class UnprivilegedSystem implements System {
  readonly isRoot = false;
  readonly #system = new LocalSystem();

  run(command: Command, options?: RunOptions): Promise<string> {
    return this.#system.run({ ...command, as: undefined }, options);
  }
}
