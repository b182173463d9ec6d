// What tsc does not bring along: what is written in other languages, and the right to be run.
import { chmodSync, copyFileSync, existsSync, readdirSync, rmSync } from "node:fs";

const root = new URL("../", import.meta.url);
for (const program of [
  "agent/release/bytecode.py",
  "agent/environment/installed.py",
  "agent/environment/coverage.py",
  "system/box.pl",
  "system/walker.py",
  "system/end-processes.py",
  "system/open-folders.py",
])
  copyFileSync(new URL(`src/${program}`, root), new URL(`dist/${program}`, root));
// Each file there is a command: none of an older build's may stay.
const commands = new URL("dist/cli/commands/", root);
for (const file of readdirSync(commands)) {
  const source = new URL(`src/cli/commands/${file.replace(/\.js$/, ".ts")}`, root);
  if (!existsSync(source)) rmSync(new URL(file, commands));
}
chmodSync(new URL("dist/main.js", root), 0o755);
for (const hook of readdirSync(new URL("hooks/", root), { recursive: true }))
  chmodSync(new URL(`hooks/${hook}`, root), 0o755);
