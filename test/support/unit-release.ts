import { mkdirSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { instancePaths, type InstancePaths } from "../../src/names/instance.ts";
import { embeddedLayout } from "../../src/config/layout.ts";
import { LocalSystem, type System } from "../../src/system/system.ts";
import type { ReleaseContext } from "../../src/agent/release/release.ts";
import { temporaryFolder } from "./unit-folder.ts";
import { nobody } from "./unit-identity.ts";
import { Repository } from "./unit-repository.ts";

export interface Demo extends ReleaseContext {
  repository: Repository;
}

/** An app with a repository and no release yet. */
export function demo(system: System = new LocalSystem()): Demo {
  const repository = new Repository({ owner: nobody });
  const paths = instancePaths(embeddedLayout(temporaryFolder()), "demo");
  mkdirSync(paths.releases, { recursive: true });
  return {
    repository,
    system,
    paths,
    git: repository.git,
    submodules: join(temporaryFolder(), "submodules"),
    instance: "demo",
    python: "/usr/bin/python3",
    gitUser: nobody,
    appUser: nobody,
    box: {
      ...{ processes: 4096, memory: 2 ** 32, fileSize: 2 ** 30, openFiles: 4096 },
      writable: [repository.folder],
    },
    deadline: 60_000,
  };
}

/** Every name below a folder, caches apart. */
export function namesIn(folder: string): string[] {
  return readdirSync(folder, { recursive: true, encoding: "utf8" })
    .filter((name) => !name.includes("__pycache__"))
    .sort();
}

/** What a staging area consists of. */
export function stagingOf(paths: InstancePaths) {
  const folder = paths.staging;
  return {
    tree: join(folder, "tree"),
    basis: join(folder, "basis"),
    index: join(folder, "git", "index"),
  };
}
