import { execFileSync } from "node:child_process";
import { mkdtempSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { beforeAll, describe, expect, it } from "vitest";
import { withServer } from "../support/with-server.ts";
import { bringOnAir } from "./owner.ts";
import { answering, type Shape } from "./shapes.ts";

const flask = `from flask import Flask
app = Flask(__name__)
app.add_url_rule("/", view_func=lambda: "flask")
`;
const project = (needs: string): string =>
  `[project]\nname = "shop"\nversion = "1"\ndescription = "A shop"\nrequires-python = ">=3.11"\ndependencies = [${needs}]\n`;
const settings = `SECRET_KEY = "x"
ALLOWED_HOSTS = ["*"]
ROOT_URLCONF = "shop.urls"
`;
const urls = `from django.http import HttpResponse
from django.urls import path
urlpatterns = [path("", lambda request: HttpResponse("django"))]
`;
const wsgi = `import os
from django.core.wsgi import get_wsgi_application
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "shop.settings.production")
application = get_wsgi_application()
`;

/** With the packages that they have in truth. */
const shapes: Shape[] = [
  {
    title: "Django with a package of settings, in backend/",
    files: {
      "backend/manage.py": "",
      "backend/requirements.txt": "-r ../requirements/production.txt\n",
      "requirements/production.txt": "-r base.txt\n",
      "requirements/base.txt": "django>=5,<6\n",
      "backend/shop/__init__.py": "",
      "backend/shop/settings/__init__.py": "",
      "backend/shop/settings/production.py": settings,
      "backend/shop/urls.py": urls,
      "backend/shop/wsgi.py": wsgi,
    },
    refused: [/but in backend/],
    says: "django",
  },
  {
    title: "FastAPI, as uvicorn runs it",
    files: {
      Procfile: "web: uvicorn app.main:app --host 0.0.0.0 --port $PORT\n",
      "requirements.txt": "fastapi\nuvicorn[standard]\n",
      "app/__init__.py": "",
      "app/main.py": `from fastapi import FastAPI
app = FastAPI()
@app.get("/")
async def home():
    return "fastapi"
`,
    },
    refused: [/web: is an app for ASGI/],
    says: '"fastapi"',
  },
  {
    title: "a factory of Flask's, installed by -e . with setuptools",
    files: {
      "pyproject.toml": `${project('"flask"')}[build-system]\nrequires = ["setuptools"]\nbuild-backend = "setuptools.build_meta"\n`,
      "src/flaskr/__init__.py":
        "from flask import Flask\ndef create_app():\n    app = Flask(__name__)\n    app.add_url_rule('/', view_func=lambda: 'factory')\n    return app\n",
      Procfile: "web: gunicorn 'flaskr:create_app()' -b 0.0.0.0:$PORT\n",
    },
    refused: [/no line wsgi/, /pyproject\.toml names packages/],
    says: "factory",
  },
  {
    title: "poetry.lock alone",
    files: {
      "app.py": flask,
      "pyproject.toml":
        '[tool.poetry]\nname = "shop"\nversion = "1"\npackage-mode = false\n[tool.poetry.dependencies]\npython = "^3.11"\nflask = "*"\n[[tool.poetry.source]]\nname = "simple"\nurl = "https://pypi.org/simple/"\n',
    },
    prepare: (_, { shell }) => shell("poetry lock"),
    refused: [/poetry\.lock names packages/],
    says: "flask",
  },
  {
    title: "Pipfile.lock alone",
    files: {
      "app.py": flask,
      Pipfile:
        '[[source]]\nurl = "https://pypi.org/simple"\nverify_ssl = true\nname = "pypi"\n[packages]\nflask = "*"\n',
    },
    prepare: (_, { shell }) => shell("pipenv lock"),
    refused: [/Pipfile\.lock names packages/],
    says: "flask",
  },
];

const page = answering("page.read_text()", {
  imports: "import pathlib\npage = pathlib.Path(__file__).with_name('page.html')",
});
const sources = { "src/shop/__init__.py": page, "src/shop/page.html": "page" };
const extension = `#include <Python.h>
static PyObject *page(PyObject *self, PyObject *none) { return PyUnicode_FromString("page"); }
static PyMethodDef methods[] = {{"page", page, METH_NOARGS, ""}, {NULL, NULL, 0, NULL}};
static struct PyModuleDef module = {PyModuleDef_HEAD_INIT, "fast", "", -1, methods};
PyMODINIT_FUNC PyInit_fast(void) { return PyModule_Create(&module); }
`;

function builtBy(requires: string, backend: string, more = ""): Record<string, string> {
  const system = `[build-system]\nrequires = ["${requires}"]\nbuild-backend = "${backend}"\n`;
  return { "pyproject.toml": `${project("")}${system}${more}` };
}

/** What builds the package, with all that each needs to be told. */
const backends: Record<string, Record<string, string>> = {
  hatchling: { ...builtBy("hatchling", "hatchling.build"), ...sources },
  "flit-core": {
    ...builtBy("flit_core", "flit_core.buildapi"),
    ...sources,
    "src/shop/__init__.py": `"""A shop."""\n${page}`,
  },
  "pdm-backend": { ...builtBy("pdm-backend", "pdm.backend"), ...sources },
  "poetry-core": {
    ...builtBy(
      "poetry-core",
      "poetry.core.masonry.api",
      '[tool.poetry]\npackages = [{include = "shop", from = "src"}]\n',
    ),
    ...sources,
  },
  uv_build: { ...builtBy("uv_build", "uv_build"), ...sources },
  "meson-python": {
    ...builtBy("meson-python", "mesonpy"),
    ...sources,
    "meson.build":
      "project('shop', version: '1')\npy = import('python').find_installation(pure: true)\npy.install_sources(['src/shop/__init__.py', 'src/shop/page.html'], subdir: 'shop')\n",
  },
  "setuptools, with a finder": {
    ...builtBy(
      "setuptools",
      "setuptools.build_meta",
      '[tool.setuptools]\npackages = ["shop"]\npackage-dir = {"shop" = "code"}\n[tool.setuptools.package-data]\nshop = ["*.html"]\n',
    ),
    "code/__init__.py": page,
    "code/page.html": "page",
  },
  "setuptools, with setup.py alone": {
    "setup.py":
      'from setuptools import setup\nsetup(name="shop", version="1", packages=["shop"], package_dir={"": "src"}, package_data={"shop": ["*.html"]})\n',
    ...sources,
  },
  "setuptools, with an extension in C": {
    ...builtBy(
      "setuptools",
      "setuptools.build_meta",
      '[tool.setuptools]\next-modules = [{name = "shop.fast", sources = ["src/fast.c"]}]\n',
    ),
    "src/shop/__init__.py": answering("fast.page()", { imports: "from shop import fast" }),
    "src/fast.c": extension,
  },
};
const built = Object.entries(backends).flatMap(([backend, files]) =>
  ["-e .", "."].map((line): Shape => {
    const named = { "requirements.txt": `${line}\n`, Procfile: "wsgi: shop:app\n" };
    return { title: `${line} built by ${backend}`, files: { ...files, ...named }, says: "page" };
  }),
);
/** By pip as well, which has another way of its own to each backend. */
const byPip = built.filter(({ title }) => /finder|extension|hatchling/.test(title));

describe("an app as people have it, with packages of PyPI", () => {
  const server = withServer();
  const tools = mkdtempSync(join(tmpdir(), "reeve-tools-"));

  beforeAll(() => {
    execFileSync("/usr/bin/python3", ["-m", "venv", tools]);
    const wanted = ["poetry", "poetry-plugin-export", "pipenv"];
    execFileSync(server.path("tools/uv/bin/uv"), ["pip", "install", "--quiet", ...wanted], {
      env: { ...process.env, VIRTUAL_ENV: tools },
    });
  });

  it.each([...shapes, ...built].map((shape, at) => ({ ...shape, app: `real-${at + 1}` })))(
    "is on the air, once its owner has done what the refusal says: $title",
    ({ app, ...shape }) =>
      bringOnAir(server, app, shape, { wheels: "", env: { TOOLS: join(tools, "bin") } }),
  );

  it.each(byPip.map((shape, at) => ({ ...shape, app: `pip-${at + 1}` })))(
    "is on the air, installed by pip: $title",
    async ({ app, ...shape }) => {
      await server.reeve("create", app);
      const set = await server.reeve("options", app, "set", "installer=pip");
      expect(set.exitCode, set.output).toBe(0);
      await bringOnAir(server, app, shape, { wheels: "", env: {} });
    },
  );
});
