import { isRootFolder, moduleName } from "../../names/names.ts";
import { UserError } from "../../errors.ts";
import { linesOf } from "../../system/lines.ts";

/** The commands of a Procfile's processes, by their names; Heroku's form. */
export function parseProcfile(text: string): Map<string, string> {
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
  return processes;
}

/** The module that a Procfile names for `wsgi`, the process that answers requests. `usual`: what would run without it. */
export function moduleOfProcesses(
  processes: Map<string, string>,
  app = "APP",
  usual?: string,
): string {
  const wsgi = processes.get("wsgi");
  if (wsgi === undefined) throw withoutWsgi(processes.get("web") ?? "", app, usual);
  if (!moduleName.safeParse(wsgi).success) {
    throw new UserError(
      "BUILD_TREE_INVALID",
      `Procfile: wsgi: ${JSON.stringify(wsgi.slice(0, 100))} is not module:callable`,
    );
  }
  return wsgi;
}

/** Heroku's `web: gunicorn shop:app` says what is wanted, only not in uWSGI's words. */
function withoutWsgi(web: string, app: string, usual: string | undefined): UserError {
  const words = web.split(/[\s=]/).map((word) => word.replaceAll(/["']/g, ""));
  const isAsgi = words.some((word) => /^(?:uvicorn\b|hypercorn$|daphne$)/.test(word));
  return new UserError(
    "MODULE_NOT_FOUND",
    isAsgi
      ? "the Procfile's web: is an app for ASGI, and reeve runs those for WSGI"
      : "the Procfile has no line wsgi: module:callable",
    {
      hint:
        folderHint(words, app) ??
        moduleHint(words, isAsgi) ??
        managedHint(words, app) ??
        usualHint(isAsgi ? undefined : usual),
    },
  );
}

/** The adapter has a thread of its own, which a fork leaves behind: each worker makes one with its first request. */
function adapting(module: string, callable: string): string {
  return [
    "from functools import cache",
    "from a2wsgi import ASGIMiddleware",
    `from ${module} import ${callable}`,
    `adapter = cache(lambda: ASGIMiddleware(${callable}))`,
    "application = lambda *request: adapter()(*request)",
  ].join("; ");
}

/** `cd backend && gunicorn …`, `gunicorn --chdir backend …`. */
function folderHint(words: string[], app: string): string | undefined {
  const at = words.findIndex((word) => /^(?:cd|--chdir|--pythonpath|--app-dir)$/.test(word));
  return at < 0 ? undefined : rootHint(words[at + 1] ?? "", app);
}

/** `python backend/manage.py runserver`. */
function managedHint(words: string[], app: string): string | undefined {
  const [, folder = ""] = words.map((word) => /^(.+)\/manage\.py$/.exec(word)).find(Boolean) ?? [];
  return rootHint(folder, app);
}

function rootHint(folder: string, app: string): string | undefined {
  if (folder === "" || !isRootFolder(folder)) return undefined;
  return `Have ${app} run in that folder, and push again: reeve options ${app} set root=${folder}`;
}

const line = "Add this line to the Procfile: wsgi:";

/** `web: python app.py` and the like name no callable. */
function usualHint(usual: string | undefined): string {
  return usual === undefined
    ? "Add one to the Procfile: wsgi: module:callable"
    : `${line} ${usual}`;
}

function moduleHint(words: string[], isAsgi: boolean): string | undefined {
  for (const [at, word] of words.entries()) {
    const [module = "", callable = "", ...more] = word.split(":");
    // So waitress-serve names a factory.
    const made = words[at - 1] === "--call" ? `${callable}()` : callable;
    const factory = /^[A-Za-z_]\w*(?=\(\)$)/.exec(made)?.[0];
    if (more.length > 0) continue;
    if (factory !== undefined && moduleName.safeParse(`${module}:${factory}`).success)
      return `Write a file wsgi.py: from ${module} import ${factory}; application = ${factory}(). ${line} wsgi:application`;
    if (isAsgi && moduleName.safeParse(word).success)
      return `Add a2wsgi to requirements.txt. Write a file wsgi.py: ${adapting(module, callable)}. ${line} wsgi:application`;
    if (moduleName.safeParse(word).success) return `${line} ${word}`;
    if (/(?:^|\.)wsgi$/.test(word) && moduleName.safeParse(`${word}:application`).success)
      return `${line} ${word}:application`;
  }
  const module = isAsgi ? undefined : moduleOfGunicorn(words);
  return module && `${line} ${module}:application`;
}

/** `gunicorn main`: the first or the last word behind it, if that is no option's; `application` is what it takes then. */
function moduleOfGunicorn(words: string[]): string | undefined {
  const at = words.findIndex((word) => /^(?:.*\/)?gunicorn$/.test(word));
  if (at < 0) return undefined;
  const [name = "", ...rest] = words.slice(at + 1).filter(Boolean);
  const places = [name, ...((rest.at(-2) ?? name).startsWith("-") ? [] : rest.slice(-1))];
  return places.find((word) => moduleName.safeParse(`${word}:application`).success);
}
