import { cpSync } from "node:fs";
import { join } from "node:path";
import type { Workspace } from "../support/workspace.ts";

export interface Means {
  /** A folder of packages. */
  wheels: string;
  /** Runs a line in the repository, as its owner would; uv finds the same packages. */
  shell: (line: string) => Promise<void>;
}

/** What a repository looks like, small. */
export interface Shape {
  title: string;
  files: Record<string, string>;
  /** What files alone do not make, before the first commit. */
  prepare?: (workspace: Workspace, means: Means) => Promise<void> | void;
  /** What the refusals say, one after the other, each before its hint was applied. */
  refused?: RegExp[];
  /** What the app answers in the end. */
  says: string;
}

/** Answers with what an expression gives; `callable` is the WSGI callable's name. */
export function answering(expression: string, { imports = "", callable = "app" } = {}): string {
  return `${imports}
def ${callable}(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [str(${expression}).encode()]
`;
}

/** A build backend in the tree itself: what is in a folder becomes the package, editable or not. */
function builtFrom(folder: string, name: string, needs: string[] = []): Record<string, string> {
  const inTree = folder === "src" ? "" : `${folder}/`;
  const source = folder === "src" ? "src" : ".";
  return {
    [`${inTree}pyproject.toml`]: `[project]
name = "${name}"
version = "1.0"
dependencies = ${JSON.stringify(needs)}
[build-system]
requires = []
build-backend = "backend"
backend-path = ["_build"]
`,
    [`${inTree}_build/backend.py`]: `import os, zipfile

def wheel(folder, files):
    name, info = "${name}-1.0-py3-none-any.whl", "${name}-1.0.dist-info/"
    needs = "".join(f"Requires-Dist: {need}\\n" for need in ${JSON.stringify(needs)})
    with zipfile.ZipFile(f"{folder}/{name}", "w") as archive:
        for path, text in files.items():
            archive.writestr(path, text)
        archive.writestr(info + "METADATA", "Metadata-Version: 2.1\\nName: ${name}\\nVersion: 1.0\\n" + needs)
        archive.writestr(info + "WHEEL", "Wheel-Version: 1.0\\nGenerator: t\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n")
        archive.writestr(info + "RECORD", "")
    return name

def build_wheel(folder, settings=None, metadata=None):
    files = {}
    for at, _, names in os.walk("${source}/${name}"):
        for name in names:
            path = os.path.join(at, name)
            files[os.path.relpath(path, "${source}")] = open(path).read()
    return wheel(folder, files)

def build_editable(folder, settings=None, metadata=None):
    return wheel(folder, {"${name}.pth": os.path.abspath("${source}") + "\\n"})
`,
  };
}

/** The same, but that a finder leads to the folder, which setuptools installs where names differ (PEP 660). */
function foundByHook(name: string, folder: string): Record<string, string> {
  const finder = `import importlib.util, sys
class Finder:
    @classmethod
    def find_spec(cls, name, path=None, target=None):
        if name == "${name}":
            return importlib.util.spec_from_file_location(name, FOLDER + "/__init__.py", submodule_search_locations=[FOLDER])
def install():
    sys.meta_path.append(Finder)
`;
  const files = builtFrom("src", name);
  const path = "_build/backend.py";
  const [whole = ""] = (files[path] ?? "").split("def build_editable");
  return {
    ...files,
    [path]: `${whole}def build_editable(folder, settings=None, metadata=None):
    finder = f"FOLDER = {os.path.abspath('${folder}')!r}\\n" + ${JSON.stringify(finder)}
    hook = "import __editable___${name}_finder; __editable___${name}_finder.install()\\n"
    return wheel(folder, {"__editable___${name}_finder.py": finder, "__editable__.${name}.pth": hook})
`,
  };
}

const greeting = "greeting.version";
const importing = { imports: "import greeting" };
/** One that no server has. */
const pointer = `version https://git-lfs.github.com/spec/v1\noid sha256:${"a".repeat(64)}\nsize 20000`;

async function addNested(workspace: Workspace, how: "add" | "submodule"): Promise<void> {
  const library = join(workspace.folder, "vendor/lib");
  const own = how === "add" ? library : join(workspace.folder, ".git/library");
  await workspace.git("init", "--quiet", own);
  workspace.write({
    [how === "add" ? "vendor/lib/lib.py" : ".git/library/lib.py"]: "x = 'mine'\n",
  });
  await workspace.git("-C", own, "add", "--all");
  await workspace.git("-C", own, "commit", "--quiet", "--message", "A library");
  if (how === "submodule") {
    const words = ["submodule", "--quiet", "add", own, "vendor/lib"];
    await workspace.git("-c", "protocol.file.allow=always", ...words);
  }
}

const ofLibrary = {
  "app.py": answering("x", {
    imports: "import sys\nsys.path.insert(0, 'vendor/lib')\nfrom lib import x",
  }),
};

export const shapes: Shape[] = [
  {
    title: "a src/ layout, installed by -e .",
    files: {
      "src/shop/__init__.py": answering(greeting, importing),
      ...builtFrom("src", "shop", ["greeting==1.0"]),
      "requirements.txt": "-e .\n",
      Procfile: "wsgi: shop:app\n",
    },
    says: "1.0",
  },
  {
    title: "a folder of another name than its package, installed by -e . as setuptools does it",
    files: {
      "code/__init__.py": answering("page.read_text()", {
        imports: "import pathlib\npage = pathlib.Path(__file__).with_name('page.html')",
      }),
      "code/page.html": "found",
      ...foundByHook("shop", "code"),
      "requirements.txt": "-e .\n",
      Procfile: "wsgi: shop:app\n",
    },
    says: "found",
  },
  {
    title: "packages that . names, and an app beside them",
    files: {
      "src/shop/__init__.py": "",
      ...builtFrom("src", "shop", ["greeting", "farewell"]),
      "requirements.txt": ".\n",
      "app.py": answering("(greeting.version, farewell.version)", {
        imports: "import greeting, farewell, shop",
      }),
    },
    says: "('2.0', '1.0')",
  },
  {
    title: "packages of its own in libs/",
    files: {
      "libs/parts/parts/__init__.py": "x = 'parts'\n",
      ...builtFrom("libs/parts", "parts"),
      "requirements.txt": "greeting==1.0\n./libs/parts\n",
      "app.py": answering("parts.x + greeting.version", { imports: "import greeting, parts" }),
    },
    says: "parts1.0",
  },
  {
    title: "Django in backend/ beside a frontend/",
    files: {
      "frontend/package.json": "{}\n",
      "requirements/base.txt": "greeting==1.0\n",
      "backend/requirements.txt": "-r ../requirements/base.txt\n",
      "backend/manage.py": "",
      "backend/shop/__init__.py": "",
      "backend/shop/settings.py": "x = 'settings'\n",
      "backend/shop/wsgi.py": answering("shop.settings.x + greeting.version", {
        imports: "import greeting, shop.settings",
        callable: "application",
      }),
    },
    refused: [/no app was found at the top of the repository, but in backend/],
    says: "settings1.0",
  },
  {
    title: "Django in src/ below its requirements",
    files: {
      "manage.py": "",
      "requirements.txt": "greeting==1.0\n",
      "src/shop/__init__.py": "",
      "src/shop/wsgi.py": answering(greeting, { ...importing, callable: "application" }),
    },
    refused: [
      /at the top of the repository, but in src/,
      /reeve installs those of src\/requirements\.txt/,
    ],
    says: "1.0",
  },
  {
    title: "Heroku's Procfile that goes into a folder",
    files: {
      Procfile: "web: cd server && gunicorn main.wsgi --log-file -\n",
      "server/main/__init__.py": "",
      "server/main/wsgi.py": answering("'server'", { callable: "application" }),
    },
    refused: [/the Procfile has no line wsgi/],
    says: "server",
  },
  {
    title: "a Procfile as PowerShell writes it",
    files: { "main.py": answering("'of Windows'") },
    prepare: (workspace) =>
      workspace.write({ Procfile: Buffer.from("\ufeffwsgi: main:app\r\n", "utf16le") }),
    says: "of Windows",
  },
  {
    title: "wheels in the tree",
    files: {
      "requirements.txt": "--no-index\n--find-links ./wheels\ngreeting\n",
      "app.py": answering(greeting, importing),
    },
    prepare: (workspace, { wheels }) =>
      cpSync(wheels, join(workspace.folder, "wheels"), { recursive: true }),
    says: "2.0",
  },
  {
    title: "a submodule of which nothing says where it is",
    files: ofLibrary,
    prepare: async (workspace) => {
      await addNested(workspace, "submodule");
      await workspace.git("config", "-f", ".gitmodules", "--unset", "submodule.vendor/lib.url");
    },
    refused: [/vendor\/lib: here the commit names a commit of another repository/],
    says: "mine",
  },
  {
    title: "a clone that was added as it is",
    files: ofLibrary,
    prepare: (workspace) => addNested(workspace, "add"),
    refused: [/vendor\/lib: here the commit names a commit of another repository/],
    says: "mine",
  },
  {
    title: "Git LFS, by a .gitattributes of a folder",
    files: {
      "static/.gitattributes": "*.psd filter=lfs diff=lfs -text\n",
      "static/logo.psd": "p".repeat(20_000),
      "app.py": answering("len(open('static/logo.psd').read())"),
    },
    prepare: async (workspace) => {
      await workspace.git("config", "filter.lfs.clean", `cat > /dev/null; echo '${pointer}'`);
      await workspace.git("config", "filter.lfs.required", "true");
    },
    refused: [/static\/logo\.psd: a pointer of Git LFS/],
    says: "20000",
  },
  {
    title: "a rule of Git LFS that matches nothing",
    files: { ".gitattributes": "*.psd filter=lfs\n", "app.py": answering("'no psd'") },
    says: "no psd",
  },
  {
    title: "Django with a package of settings",
    files: {
      "manage.py": "",
      "config/__init__.py": "",
      "config/settings/__init__.py": "",
      "config/settings/base.py": "x = 'base'\n",
      "config/settings/production.py": "from .base import *\nx += ' production'\n",
      "config/wsgi.py": answering("importlib.import_module('config.settings.production').x", {
        imports: "import importlib",
        callable: "application",
      }),
    },
    says: "base production",
  },
  {
    title: "a factory in a package, as gunicorn calls it",
    files: {
      Procfile: `web: gunicorn "flaskr:create_app()"\n`,
      "flaskr/__init__.py": `def create_app():\n    from .views import app\n    return app\n`,
      "flaskr/views.py": answering("'made'"),
    },
    refused: [/the Procfile has no line wsgi/],
    says: "made",
  },
  {
    title: "requirements in a folder, by numbers and kinds",
    files: {
      "requirements.txt": "-r requirements/20-production.txt\n",
      "requirements/10-base.txt": "greeting==1.0\n",
      "requirements/20-production.txt": "-r 10-base.txt\nfarewell\n",
      "requirements/30-dev.txt": "no-such-package-anywhere\n",
      "app.py": answering("greeting.version + farewell.version", {
        imports: "import greeting, farewell",
      }),
    },
    says: "1.01.0",
  },
  {
    title: "requirements in a folder, and none beside it",
    files: {
      "requirements/base.txt": "greeting==1.0\n",
      "requirements/production.txt": "-r base.txt\nfarewell\n",
      "requirements/dev.txt": "no-such-package-anywhere\n",
      "app.py": answering("greeting.version + farewell.version", {
        imports: "import greeting, farewell",
      }),
    },
    refused: [/requirements\/production\.txt names packages/],
    says: "1.01.0",
  },
  {
    title: "pyproject.toml alone",
    files: {
      "pyproject.toml": '[project]\nname = "shop"\nversion = "1"\ndependencies = ["greeting<2"]\n',
      "app.py": answering(greeting, importing),
    },
    refused: [/pyproject\.toml names packages/],
    says: "1.0",
  },
  {
    title: "uv.lock alone",
    files: {
      "pyproject.toml":
        '[project]\nname = "shop"\nversion = "1"\nrequires-python = ">=3.11"\ndependencies = ["greeting<2"]\n',
      "app.py": answering(greeting, importing),
    },
    prepare: (_, { shell }) => shell("uv lock --quiet"),
    refused: [/uv\.lock names packages/],
    says: "1.0",
  },
  {
    title: "Heroku's Procfile",
    files: {
      Procfile: "release: ./migrate\nweb: gunicorn shop.wsgi --workers 4 --log-file -\n",
      "shop/__init__.py": "",
      "shop/wsgi.py": answering("'heroku'", { callable: "application" }),
    },
    refused: [/the Procfile has no line wsgi/],
    says: "heroku",
  },
  {
    title: "Django as its own server runs it, on Heroku",
    files: {
      Procfile: "web: python manage.py runserver 0.0.0.0:$PORT\n",
      "manage.py": "",
      "shop/__init__.py": "",
      "shop/wsgi.py": answering("'django'", { callable: "application" }),
    },
    refused: [/the Procfile has no line wsgi/],
    says: "django",
  },
  {
    title: "a factory, as waitress calls it",
    files: {
      Procfile: "web: waitress-serve --port=$PORT --call flaskr:create_app\n",
      "flaskr/__init__.py": `def create_app():\n    from .views import app\n    return app\n`,
      "flaskr/views.py": answering("'waitress'"),
    },
    refused: [/the Procfile has no line wsgi/],
    says: "waitress",
  },
  {
    title: "app.py in a package",
    files: {
      "shop/__init__.py": "",
      "shop/words.py": "x = 'package'\n",
      "shop/app.py": answering("x", { imports: "from .words import x" }),
    },
    refused: [/no app was found at the top of the repository, but in shop/],
    says: "package",
  },
  {
    title: "an app for ASGI",
    files: {
      Procfile: "web: uvicorn main:app --host 0.0.0.0 --port $PORT\n",
      "requirements.txt": "greeting==1.0",
      "main.py": `async def app(scope, receive, send):
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"asgi"})
`,
    },
    refused: [/web: is an app for ASGI/],
    says: "asgi",
  },
];
