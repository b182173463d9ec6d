import { randomBytes } from "node:crypto";
import { mkdtempSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { execa } from "execa";
import { expect } from "vitest";
import { plainApp } from "../support/apps.ts";
import type { Scene } from "./scene.ts";

/** The time of a client is none of ours. */
const fast = ["-c", "core.compression=0"];

/**
 * A file of so many megabytes that nothing makes smaller: pushed to `large`, cloned over HTTP, fetched over SSH and
 * checked out from both. Resolves to what came back. With a hundred files beside it git keeps the pack as it came;
 * with fewer it unpacks it.
 */
export async function throughAndBack(
  scene: Scene,
  { megabytes, beside }: { megabytes: number; beside: number },
): Promise<string[]> {
  const { ada, demo } = scene;
  const parts = Array.from({ length: megabytes / 100 }, () => randomBytes(100_000_000));
  const stored = await execa("git", [...fast, "hash-object", "-w", "--stdin"], {
    cwd: demo.folder,
    input: Buffer.concat(parts),
  });
  const small = await Promise.all(
    Array.from({ length: beside }, async (_, at) => ({
      name: `small-${1000 + at}`,
      id: await demo.blob(`${at}`),
    })),
  );
  const app = { name: "app.py", id: await demo.blob(plainApp("large")["app.py"] ?? "") };
  const commit = await demo.commitTree(
    [app, { name: "large", id: stored.stdout }, ...small],
    "Large",
  );
  const push = await scene.git("http", [
    ...[...fast, "push", "--quiet", "REMOTE", `+${commit}:refs/heads/large`],
  ]);
  expect(push.exitCode, push.all).toBe(0);

  const around = mkdtempSync(join(tmpdir(), "reeve-large-"));
  const env = { GIT_SSH_COMMAND: ada.ssh.gitSshCommand, GIT_CONFIG_GLOBAL: "/dev/null" };
  const git = async (folder: string, ...words: string[]): Promise<void> => {
    const { exitCode, all } = await execa("git", words, {
      ...{ cwd: folder, env, reject: false, all: true },
    });
    expect(exitCode, all).toBe(0);
  };
  const sizeIn = (folder: string): string => `${statSync(join(folder, "large")).size / 1e6} MB`;
  const cloned = join(around, "cloned");
  const fetched = join(around, "fetched");
  try {
    await Promise.all([
      git(around, "clone", "--quiet", "--branch=large", scene.remote("http"), cloned),
      git(around, "init", "--quiet", fetched)
        .then(() => git(fetched, "fetch", "--quiet", scene.remote("ssh"), "large"))
        .then(() => git(fetched, "checkout", "--quiet", "FETCH_HEAD")),
    ]);
    return [cloned, fetched].map(sizeIn);
  } finally {
    rmSync(around, { recursive: true, force: true });
  }
}
