import { execFileSync } from "node:child_process";
import { mkdtempSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, it } from "vitest";
import { TestServer } from "../support/server.ts";
import { bringOnAir } from "./owner.ts";
import type { Shape } from "./shapes.ts";

const flask = `from flask import Flask
app = Flask(__name__)
app.add_url_rule("/", view_func=lambda: "flask")
`;
const project = (needs: string): string =>
  `[project]\nname = "shop"\nversion = "1"\nrequires-python = ">=3.11"\ndependencies = [${needs}]\n`;
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

describe("an app as people have it, with packages of PyPI", () => {
  let server: TestServer;
  const tools = mkdtempSync(join(tmpdir(), "reeve-tools-"));

  beforeAll(async () => {
    server = await TestServer.start();
    execFileSync("/usr/bin/python3", ["-m", "venv", tools]);
    const wanted = ["poetry", "poetry-plugin-export", "pipenv"];
    execFileSync(server.path("tools/uv/bin/uv"), ["pip", "install", "--quiet", ...wanted], {
      env: { ...process.env, VIRTUAL_ENV: tools },
    });
  });
  afterAll(() => server.remove());

  it.each(shapes.map((shape, at) => ({ ...shape, app: `real-${at + 1}` })))(
    "is on the air, once its owner has done what the refusal says: $title",
    ({ app, ...shape }) =>
      bringOnAir(server, app, shape, { wheels: "", env: { TOOLS: join(tools, "bin") } }),
  );
});
