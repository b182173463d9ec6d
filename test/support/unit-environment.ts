import { chmodSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { instancePaths } from "../../src/names/instance.ts";
import { embeddedLayout } from "../../src/config/layout.ts";
import { buildEnvironment } from "../../src/agent/environment/build.ts";
import { nothingCovered } from "../../src/agent/environment/coverage.ts";
import type { EnvironmentContext } from "../../src/agent/environment/environment.ts";
import { LocalSystem, type System } from "../../src/system/system.ts";
import { Turns } from "../../src/system/turns.ts";
import { temporaryFolder } from "./unit-folder.ts";
import { isRoot, nobody } from "./unit-identity.ts";

export const [one, two, three] = ["1", "2", "3"].map((digit) => digit.repeat(16)) as [
  string,
  string,
  string,
];

/** What environments are built with, and what was said meanwhile. */
export interface Demo extends EnvironmentContext {
  turns: Turns;
  said: string[];
}

/** A number that is nobody's, for the time of these tests: whatever else runs as the builder is ended. */
const number = 61_000 + (process.pid % 4000);
export const builder = isRoot ? { name: "builder", uid: number, gid: number } : nobody;

/** An app whose environments are made by a program of the test's own: `$3` is the environment's path. */
export function demo(
  script: string,
  system: System = new LocalSystem(),
  interpreter = "/bin/sh",
): Demo {
  const home = temporaryFolder();
  const paths = instancePaths(embeddedLayout(home), "demo");
  mkdirSync(paths.environments, { recursive: true });
  const python = join(home, "python");
  writeFileSync(python, `#!${interpreter}\n${script}\n`);
  chmodSync(python, 0o755);
  const said: string[] = [];
  return {
    system,
    paths,
    python,
    said,
    installer: { name: "pip", file: "pip" },
    sources: { index: "", extraIndex: "", proxy: "", caFile: "" },
    appUser: nobody,
    builder: { user: builder, groups: [], isClean: true },
    box: { processes: 1000, memory: 4 * 2 ** 30, fileSize: 2 ** 30, openFiles: 1000 },
    deadline: 60_000,
    onLine: (line) => said.push(line),
    turns: new Turns(),
  };
}

export function build(context: Demo, hash = one): Promise<string> {
  const request = {
    hash,
    files: [],
    coverage: nothingCovered,
    packages: undefined,
    described: "",
    variables: {},
  };
  return buildEnvironment(context, { ...request, release: "/nowhere" });
}
