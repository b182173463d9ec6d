import { execFileSync } from "node:child_process";
import { chmodSync, mkdirSync, mkdtempSync, realpathSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterAll, onTestFinished } from "vitest";

/** A folder that other users can enter, removed when the test that asked for it has ended. */
export function temporaryFolder(): string {
  const folder = makeFolder();
  onTestFinished(() => remove(folder));
  return folder;
}

/** The same for all tests of a file: it is made where the file is read. */
export function sharedFolder(): string {
  const folder = makeFolder();
  afterAll(() => remove(folder));
  return folder;
}

function makeFolder(): string {
  const folder = realpathSync(mkdtempSync(join(tmpdir(), "reeve-unit-")));
  chmodSync(folder, 0o755);
  return folder;
}

function remove(folder: string): void {
  // Without root what is sealed has to be opened before it can go.
  if (process.getuid?.() !== 0) execFileSync("chmod", ["-R", "u+rwx", folder]);
  rmSync(folder, { recursive: true, force: true });
}

/** Writes files below a folder, with the folders they are in. */
export function writeFiles(folder: string, files: Record<string, string>): void {
  for (const [name, text] of Object.entries(files)) {
    mkdirSync(dirname(join(folder, name)), { recursive: true });
    writeFileSync(join(folder, name), text);
  }
}
