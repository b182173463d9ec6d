import { posix } from "node:path";
import { UserError } from "../../errors.ts";
import { linesOf } from "../../system/lines.ts";
import { declarations, elsewhere, kinds, ofSetuptools } from "./declarations.ts";
import type { CommitTree } from "./tree.ts";

/**
 * Without `requirements.txt`: refuses an app whose packages are named in another file, or in a folder above its own,
 * which it would start without.
 */
export async function expectNoneDeclared(tree: CommitTree, root: string): Promise<void> {
  for (const folder of upFrom(root)) {
    if (folder !== root)
      await expectNoRequirements(tree, root, posix.join(folder, "requirements.txt"));
    await expectNoDeclarations(tree, folder);
  }
}

/** A folder of the tree and those that it is in; the last is the tree. */
function upFrom(folder: string): string[] {
  if (folder === "") return [""];
  const above = posix.dirname(folder);
  return [folder, ...upFrom(above === "." ? "" : above)];
}

async function expectNoRequirements(tree: CommitTree, root: string, path: string): Promise<void> {
  const [file] = await tree.look([path]);
  if (file?.kind !== "file") return;
  const own = posix.join(root, "requirements.txt");
  throw new UserError(
    "BUILD_TREE_INVALID",
    `${path} names packages, and reeve installs those of ${own}, which is not there`,
    {
      hint: `Write it, empty if it needs none, commit, and push again: echo '-r ${posix.relative(root, path)}' > ${own}`,
    },
  );
}

const installed = 'echo "-e ." > requirements.txt';

async function expectNoDeclarations(tree: CommitTree, root: string): Promise<void> {
  const entries = await tree.look(declarations.map((name) => posix.join(root, name)));
  const names = entries
    .filter(({ kind }) => kind === "file")
    .map(({ path }) => posix.relative(root, path));
  for (const [name, line] of Object.entries(elsewhere))
    if (names.includes(name)) throw declared(name, root, line);
  const textOf = async (name: string): Promise<string> =>
    names.includes(name) ? ((await tree.read(posix.join(root, name))) ?? "") : "";
  if (declaresPackages(await textOf("pyproject.toml"))) {
    const [source] = await tree.look([posix.join(root, "src")]);
    const line =
      source?.kind === "folder" ? installed : "uv pip compile pyproject.toml -o requirements.txt";
    throw declared("pyproject.toml", root, line);
  }
  const kind = kinds.find((name) => names.includes(name));
  if (kind !== undefined) throw declared(kind, root, `echo "-r ${kind}" > requirements.txt`);
  for (const name of ofSetuptools)
    if (requiresPackages(await textOf(name))) throw declared(name, root, installed);
}

function declared(name: string, root: string, line: string): UserError {
  return new UserError(
    "BUILD_TREE_INVALID",
    `${posix.join(root, name)} names packages, and reeve installs those of ${posix.join(root, "requirements.txt")}, which is not there`,
    {
      hint: `Write it, commit, and push again: ${root && `cd ${root} && `}${line}`,
    },
  );
}

/** Whether `setup.cfg` or `setup.py` asks for packages. */
function requiresPackages(text: string): boolean {
  const code = text.replaceAll(/#.*/g, "");
  return /\binstall_requires\b["']?\s*[=:][ \t]*(?:\r?\n[ \t]+)?(?!\[\s*\])\S/.test(code);
}

/**
 * Whether a `pyproject.toml` asks for packages: PEP 621's list, or one that is found by the build, or Poetry's table
 * with more than the interpreter.
 */
export function declaresPackages(text: string): boolean {
  let table = "";
  let isDynamic = false;
  for (const line of linesOf(text)) {
    if (line.startsWith("[")) table = line.replace(/#.*/, "").replaceAll(/\s/g, "");
    const [key = "", ...rest] = line.split("=", 2);
    const name = key.trim();
    if (table === "[project]" && name === "dependencies")
      return !/^\[\s*\]/.test(rest.join("").trim());
    isDynamic ||= table === "[project]" && name === "dynamic";
    if (isDynamic && /["']dependencies["']/.test(line)) return true;
    isDynamic &&= !line.includes("]");
    const isPackage = /^[A-Za-z0-9"]/.test(name) && name !== "python" && rest.length > 0;
    if (table === "[tool.poetry.dependencies]" && isPackage) return true;
  }
  return false;
}
