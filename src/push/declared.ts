import { posix } from "node:path";
import { UserError } from "../errors.ts";
import { linesOf } from "../host/lines.ts";
import type { CommitTree } from "./tree.ts";

/** Where packages are declared beside `requirements.txt`, and the tool's own line that writes it. */
const elsewhere = {
  "uv.lock": "uv export --no-dev --no-hashes -o requirements.txt",
  "poetry.lock": "poetry export -o requirements.txt",
  "pdm.lock": "pdm export --prod -o requirements.txt",
  "Pipfile.lock": "pipenv requirements > requirements.txt",
  Pipfile: "pipenv lock && pipenv requirements > requirements.txt",
} as const;

export const declarations = [...Object.keys(elsewhere), "pyproject.toml"];

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

async function expectNoDeclarations(tree: CommitTree, root: string): Promise<void> {
  const entries = await tree.look(declarations.map((name) => posix.join(root, name)));
  const names = entries
    .filter(({ kind }) => kind === "file")
    .map(({ path }) => posix.basename(path));
  for (const [name, line] of Object.entries(elsewhere))
    if (names.includes(name)) throw declared(name, root, line);
  if (!names.includes("pyproject.toml")) return;
  const project = (await tree.read(posix.join(root, "pyproject.toml"))) ?? "";
  if (!declaresPackages(project)) return;
  const [source] = await tree.look([posix.join(root, "src")]);
  const line =
    source?.kind === "folder"
      ? 'echo "-e ." > requirements.txt'
      : "uv pip compile pyproject.toml -o requirements.txt";
  throw declared("pyproject.toml", root, line);
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

/** Whether a `pyproject.toml` asks for packages: PEP 621's list, or Poetry's table with more than the interpreter. */
export function declaresPackages(text: string): boolean {
  let table = "";
  for (const line of linesOf(text)) {
    if (line.startsWith("[")) table = line.replace(/#.*/, "").replaceAll(/\s/g, "");
    const [key = "", ...rest] = line.split("=", 2);
    const name = key.trim();
    if (table === "[project]" && name === "dependencies")
      return !/^\[\s*\]/.test(rest.join("").trim());
    const isPackage = /^[A-Za-z0-9"]/.test(name) && name !== "python" && rest.length > 0;
    if (table === "[tool.poetry.dependencies]" && isPackage) return true;
  }
  return false;
}
