import { posix } from "node:path";
import { moduleName } from "../app/names.ts";
import type { Question } from "../agent/questions.ts";
import { UserError } from "../errors.ts";
import { linesOf } from "../host/lines.ts";
import { readRequirements } from "./requirements.ts";
import type { CommitTree, Entry } from "./tree.ts";

export type Proposal = Question<"prepare">["proposal"];

/** As the agent takes it. */
const longestPath = 1000;
const mostNamed = 5;
const mostFolders = 1000;
const longestFolder = 255;

/** What the repository asks for: what to run and what that needs. It is a proposal; the options win. */
export async function readProposal(tree: CommitTree): Promise<Proposal> {
  try {
    await expectComplete(tree);
    const [module, requirements] = await Promise.all([findModule(tree), readRequirements(tree)]);
    return { module, requirements };
  } catch (error) {
    if (!(error instanceof UserError)) throw error;
    const { code, message, hint } = error;
    return { problem: { code, message, hint } };
  }
}

/** Refuses a commit that leaves out what the app is to have: what stands for it is a folder of nothing, or a few lines. */
async function expectComplete(tree: CommitTree): Promise<void> {
  const [modules] = await tree.look([".gitmodules"]);
  if (modules?.kind === "file" && modules.size > 0)
    // Where they would come from is the repository's to say: it could be anywhere, this machine included.
    throw new UserError("BUILD_TREE_INVALID", ".gitmodules: reeve does not fetch submodules", {
      hint: "Put their files into the repository itself, or name them as packages in requirements.txt.",
    });
  for (const words of linesOf((await tree.read(".gitattributes")) ?? "")) {
    if (!/^[^#]*\sfilter=lfs(?:\s|$)/.test(words)) continue;
    throw new UserError(
      "BUILD_TREE_INVALID",
      ".gitattributes: reeve does not fetch what Git LFS keeps elsewhere",
      { hint: "Put these files into the repository itself: git lfs migrate export --include=…" },
    );
  }
}

/** The Procfile's `wsgi` line; else `app.py`, `wsgi.py` or the one Django project, by what frameworks write. */
async function findModule(tree: CommitTree): Promise<string> {
  const [app, wsgi] = (await tree.look(["app.py", "wsgi.py"])) as [Entry, Entry];
  const processes = await tree.read("Procfile");
  if (processes !== undefined) return moduleOfProcfile(processes);

  if (app.kind === "file") return "app:app";
  if (wsgi.kind === "file") return "wsgi:application";

  const folders = (await tree.folders())
    .filter((name) => name.length <= longestFolder && /^[A-Za-z_]\w*$/.test(name))
    .slice(0, mostFolders);
  const projects = (await tree.look(folders.map((name) => `${name}/wsgi.py`))).filter(
    (entry) => entry.kind === "file",
  );
  if (projects.length === 1) return `${posix.dirname(projects[0]?.path ?? "")}.wsgi:application`;

  const found = projects
    .slice(0, mostNamed)
    .map((entry) => entry.path.slice(0, longestPath))
    .join(", ");
  throw new UserError(
    "MODULE_NOT_FOUND",
    projects.length > 1
      ? `there is more than one app here: ${found}`
      : "no app was found. Looked for: Procfile, app.py (app:app), wsgi.py (wsgi:application), */wsgi.py (Django)",
  );
}

/** The module that a Procfile names; Heroku's form, with `wsgi` as the process that answers requests. */
export function moduleOfProcfile(text: string): string {
  const processes = new Map<string, string>();
  let index = 0;
  for (const words of linesOf(text)) {
    index += 1;
    if (words === "" || words.startsWith("#")) continue;
    const [, name, rest = ""] = /^([A-Za-z0-9_-]+)\s*:(.*)$/.exec(words) ?? [];
    const command = rest.trim();
    if (name === undefined || command === "") {
      throw new UserError(
        "BUILD_TREE_INVALID",
        `Procfile, line ${index}: ${JSON.stringify(words.slice(0, 100))} is not NAME: COMMAND`,
      );
    }
    processes.set(name, command);
  }
  const wsgi = processes.get("wsgi");
  if (wsgi === undefined) throw withoutWsgi(processes.get("web"));
  if (!moduleName.safeParse(wsgi).success) {
    throw new UserError(
      "BUILD_TREE_INVALID",
      `Procfile: wsgi: ${JSON.stringify(wsgi.slice(0, 100))} is not module:callable`,
    );
  }
  return wsgi;
}

/** Heroku's `web: gunicorn shop:app` says what is wanted, only not in uWSGI's words. */
function withoutWsgi(web: string | undefined): UserError {
  const meant = web?.split(/\s/).find((word) => moduleName.safeParse(word).success);
  return new UserError("MODULE_NOT_FOUND", "the Procfile has no line wsgi: module:callable", {
    hint: meant
      ? `Add this line to the Procfile: wsgi: ${meant}`
      : "Add one to the Procfile: wsgi: module:callable",
  });
}
