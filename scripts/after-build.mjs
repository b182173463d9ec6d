// What tsc does not bring along: the Python part of a release, and the right to be run.
import { chmodSync, copyFileSync, readdirSync } from "node:fs";

const root = new URL("../", import.meta.url);
copyFileSync(new URL("src/release/bytecode.py", root), new URL("dist/release/bytecode.py", root));
chmodSync(new URL("dist/main.js", root), 0o755);
for (const hook of readdirSync(new URL("hooks/", root)))
  chmodSync(new URL(`hooks/${hook}`, root), 0o755);
