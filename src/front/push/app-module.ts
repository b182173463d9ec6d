import { posix } from "node:path";
import { isRootFolder } from "../../names/names.ts";
import type { Process } from "../../names/process.ts";
import { UserError } from "../../errors.ts";
import { decodeRequirements } from "./encoding.ts";
import { moduleOfProcesses, parseProcfile } from "./procfile.ts";
import type { CommitTree, Entry } from "./tree.ts";

/** Whose commit it is, and in which folder of its tree that app runs; empty: the whole tree. */
export interface Where {
  app: string;
  root: string;
}

const longestFolder = 255;
const longestPath = 1000;
const mostFolders = 1000;
const mostNamed = 5;

/** What the commit runs; today that is one WSGI app, which answers requests. */
export async function findProcesses(tree: CommitTree, where: Where): Promise<Process[]> {
  return [{ type: "web", kind: "wsgi", module: await findModule(tree, where) }];
}

/** The Procfile's `wsgi` line; else `app.py`, `wsgi.py` or the one Django project, by what frameworks write. */
async function findModule(tree: CommitTree, where: Where): Promise<string> {
  const { root } = where;
  const inRoot = (name: string): string => posix.join(root, name);
  await expectRoot(tree, where);
  const [app, wsgi] = (await tree.look([inRoot("app.py"), inRoot("wsgi.py")])) as [Entry, Entry];
  const usual =
    app.kind === "file" ? "app:app" : wsgi.kind === "file" ? "wsgi:application" : undefined;
  const procfile = await tree.readBytes(inRoot("Procfile"));
  if (procfile !== undefined) {
    const processes = parseProcfile(decodeProcfile(inRoot("Procfile"), procfile));
    // What runs without one is only told where it names none.
    const isNamed = usual !== undefined || processes.has("wsgi");
    const [project, ...others] = isNamed ? [] : await findProjects(tree, root);
    const only = project !== undefined && others.length === 0 ? moduleOf(project) : undefined;
    return moduleOfProcesses(processes, where.app, usual ?? only);
  }
  if (usual !== undefined) return usual;

  const projects = await findProjects(tree, root);
  if (projects.length > 1)
    throw new UserError("MODULE_NOT_FOUND", `there is more than one app here: ${named(projects)}`);
  const [project] = projects;
  if (project === undefined) throw await notFound(tree, where);
  return moduleOf(project);
}

/** Of a Django project, by its `wsgi.py`. */
function moduleOf(project: string): string {
  return `${posix.basename(posix.dirname(project))}.wsgi:application`;
}

/** In UTF-16 where a shell of Windows has written it; nothing but its names and modules is looked at. */
function decodeProcfile(path: string, bytes: Buffer): string {
  return bytes.includes(0) ? decodeRequirements(path, bytes) : bytes.toString();
}

/** A rollback, a preview and a commit of before may lack the folder that the option names. */
async function expectRoot(tree: CommitTree, { app, root }: Where): Promise<void> {
  if (root === "") return;
  const [folder] = (await tree.look([root])) as [Entry];
  if (folder.kind === "folder") return;
  const what = {
    absent: "which this commit does not have",
    outside: "which leads out of the repository in this commit",
    file: "which is a file in this commit",
  }[folder.kind];
  throw new UserError("MODULE_NOT_FOUND", `the option root of ${app} is ${root}, ${what}`, {
    hint: `Push a commit that has it; or have ${app} run in the whole repository, and push again: reeve options ${app} set root=`,
  });
}

/** The packages with a `wsgi.py`; a folder that has what stands beside packages is none. */
async function findProjects(tree: CommitTree, root: string): Promise<string[]> {
  const folders = (await tree.folders(root))
    .filter((path) => path.length <= longestFolder && /^[A-Za-z_]\w*$/.test(posix.basename(path)))
    .slice(0, mostFolders);
  const projects = await filesAmong(
    tree,
    folders.map((folder) => `${folder}/wsgi.py`),
  );
  const beside = projects.flatMap((path) =>
    ["manage.py", "requirements.txt", "Procfile"].map((name) =>
      posix.join(posix.dirname(path), name),
    ),
  );
  const whole = new Set((await filesAmong(tree, beside)).map((path) => posix.dirname(path)));
  return projects.filter((path) => !whole.has(posix.dirname(path)));
}

/** With the line that has the app run where there is one. */
async function notFound(tree: CommitTree, { app, root }: Where): Promise<UserError> {
  const places = root === "" ? await findRoots(tree) : [];
  const [first] = places;
  if (first === undefined)
    return new UserError(
      "MODULE_NOT_FOUND",
      `no app was found${root && ` in ${root}`}. Looked for: Procfile, app.py (app:app), wsgi.py (wsgi:application), */wsgi.py (Django)`,
    );
  const module = await moduleInPackage(tree, first);
  const hint =
    module === undefined
      ? `Have ${app} run in ${places.length > 1 ? "one of these folders" : "that folder"}, and push again: reeve options ${app} set root=${first}`
      : `Add this line to the Procfile: wsgi: ${module}`;
  return new UserError(
    "MODULE_NOT_FOUND",
    `no app was found at the top of the repository, but in ${named(places)}`,
    { hint },
  );
}

/** Where what was found is in a package, which its neighbours import by its name, or which is installed as one. */
async function moduleInPackage(tree: CommitTree, folder: string): Promise<string | undefined> {
  const inPackage = await filesAmong(tree, [`${folder}/__init__.py`, `${folder}/app.py`]);
  if (inPackage.length === 2) return `${folder.replace(/^src\//, "").replaceAll("/", ".")}.app:app`;
  if (folder !== "src" || !(await isInstalled(tree))) return undefined;
  const [project, ...others] = await findProjects(tree, folder);
  return project === undefined || others.length > 0 ? undefined : moduleOf(project);
}

/** Whether the tree is a package's own, by the layout with `src/`. */
async function isInstalled(tree: CommitTree): Promise<boolean> {
  const [setup] = await tree.look(["setup.py"]);
  const project = (await tree.read("pyproject.toml")) ?? "";
  return setup?.kind === "file" || /^\[(?:project|build-system|tool\.poetry)\]/m.test(project);
}

/** Folders that look like an app's own, down to the third level, those at the top first, and none that lies in another. */
async function findRoots(tree: CommitTree): Promise<string[]> {
  const able = (await tree.allFolders()).filter((path) => isRootFolder(path));
  const folders = [1, 2, 3]
    .flatMap((depth) => able.filter((path) => path.split("/").length === depth))
    .slice(0, mostFolders);
  const marks = ["Procfile", "manage.py", "app.py"];
  const files = await filesAmong(
    tree,
    folders.flatMap((folder) =>
      [...marks, "wsgi.py", "requirements.txt"].map((name) => `${folder}/${name}`),
    ),
  );
  const there = new Set(files);
  const has = (folder: string, name: string): boolean => there.has(`${folder}/${name}`);
  const isOwn = (folder: string): boolean =>
    marks.some((mark) => has(folder, mark)) ||
    (has(folder, "wsgi.py") && has(folder, "requirements.txt"));
  // A package of Django's has wsgi.py as well, and runs from the folder above it.
  const above = new Set(
    folders
      .filter((folder) => has(folder, "wsgi.py") && !isOwn(folder))
      .map((folder) => posix.dirname(folder)),
  );
  const roots = folders.filter((folder) => isOwn(folder) || above.has(folder));
  const found = new Set<string>();
  for (const folder of roots)
    if (!ancestorsOf(folder).some((outer) => found.has(outer))) found.add(folder);
  return [...found];
}

function ancestorsOf(path: string): string[] {
  const parts = path.split("/");
  return parts.slice(1).map((_, at) => parts.slice(0, at + 1).join("/"));
}

async function filesAmong(tree: CommitTree, paths: string[]): Promise<string[]> {
  const entries = await tree.look(paths);
  return entries.filter(({ kind }) => kind === "file").map(({ path }) => path);
}

function named(paths: string[]): string {
  return paths
    .slice(0, mostNamed)
    .map((path) => path.slice(0, longestPath))
    .join(", ");
}
