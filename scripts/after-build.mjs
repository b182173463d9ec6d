// What tsc does not bring along: what is written in other languages, and the right to be run.
import { chmodSync, copyFileSync, existsSync, mkdirSync, readdirSync, rmSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const root = new URL("../", import.meta.url);
const [source, built] = ["src", "dist"].map((folder) => fileURLToPath(new URL(folder, root)));
const programsIn = (folder) =>
  readdirSync(folder, { recursive: true }).filter((name) => /\.(py|pl)$/.test(name));
for (const program of programsIn(source)) {
  mkdirSync(dirname(join(built, program)), { recursive: true });
  copyFileSync(join(source, program), join(built, program));
}
for (const program of programsIn(built))
  if (!existsSync(join(source, program))) rmSync(join(built, program));
// Each file there is a command: none of an older build's may stay.
const commands = new URL("dist/cli/commands/", root);
for (const file of readdirSync(commands)) {
  const command = new URL(`src/cli/commands/${file.replace(/\.js$/, ".ts")}`, root);
  if (!existsSync(command)) rmSync(new URL(file, commands));
}
chmodSync(new URL("dist/main.js", root), 0o755);
for (const hook of readdirSync(new URL("hooks/", root), { recursive: true }))
  chmodSync(new URL(`hooks/${hook}`, root), 0o755);
