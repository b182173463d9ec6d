import { execFileSync } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { agentVerbs } from "../../../../src/protocol/agent-verbs.ts";
import { LocalSystem } from "../../../../src/system/system.ts";
import { UserError } from "../../../../src/errors.ts";
import { decodeRequirements } from "../../../../src/front/push/encoding.ts";
import { moduleOfProcesses, parseProcfile } from "../../../../src/front/push/procfile.ts";
import { readProposal } from "../../../../src/front/push/proposal.ts";
import { CommitTree } from "../../../../src/front/push/tree.ts";
import { sharedFolder, temporaryFolder } from "../../../support/unit-folder.ts";
import { Repository, type Files } from "../../../support/unit-repository.ts";

const system = new LocalSystem();

const repository = new Repository({ folder: sharedFolder() });

async function proposalOf(files: Files, root = "") {
  const tree = await CommitTree.open(system, repository.git, repository.snapshot(files), { root });
  return readProposal(tree, { app: "demo", root });
}

async function moduleOf(files: Files): Promise<string> {
  const proposal = await proposalOf(files);
  if ("problem" in proposal) return proposal.problem.code;
  const [process, ...others] = proposal.processes;
  expect([process?.type, process?.kind, others]).toEqual(["web", "wsgi", []]);
  return process?.module ?? "";
}

async function requirementsOf(files: Files) {
  const proposal = await proposalOf({ "app.py": "", ...files });
  if ("problem" in proposal) return `${proposal.problem.code}: ${proposal.problem.message}`;
  return proposal.requirements.map(({ path, text }) => [path, text]);
}

function hintOf(work: () => unknown): string {
  try {
    work();
  } catch (error) {
    if (error instanceof UserError) return error.hint;
  }
  throw new Error("that was not refused");
}

describe("the Procfile", () => {
  const moduleOf = (text: string): string => moduleOfProcesses(parseProcfile(text));

  it.each([
    ["wsgi: app:app", "app:app"],
    ["wsgi: app:app\n", "app:app"],
    ["  wsgi  :   config.wsgi:application  \n", "config.wsgi:application"],
    ["# what runs\n\nwsgi: shop:app\n", "shop:app"],
    ["wsgi: shop:app\r\nworker: python work.py\r\n", "shop:app"],
    ["web: gunicorn x:y\nwsgi: shop:app\nrelease: ./manage.py migrate", "shop:app"],
    ["wsgi: first:app\nwsgi: last:app", "last:app"],
  ])("%j runs %s", (text, module) => {
    expect(moduleOf(text)).toBe(module);
  });

  it.each([
    ["wsgi app:app", /^Procfile, line 1: "wsgi app:app" is not NAME: COMMAND$/],
    ["\n\nwsgi:\n", /^Procfile, line 3: "wsgi:" is not NAME: COMMAND$/],
    ["wsgi: app", /^Procfile: wsgi: "app" is not module:callable$/],
    ["wsgi: app:app --workers 4", /is not module:callable$/],
    ["wsgi: /etc/passwd", /is not module:callable$/],
    ["wsgi: ../x.py:app", /is not module:callable$/],
    ["wsgi: @(exec://id):app", /is not module:callable$/],
    ["wsgi: app:make()", /is not module:callable$/],
    ["\u001b[2Jwsgi: app:app", /^Procfile, line 1: "\\u001b\[2Jwsgi: app:app" is not/],
  ])("%j is refused by its line", (text, message) => {
    expect(() => moduleOf(text)).toThrow(
      expect.objectContaining({
        code: "BUILD_TREE_INVALID",
        message: expect.stringMatching(message) as string,
      }),
    );
  });

  it("is refused where its module is longer than any, and not repeated at length", () => {
    expect(() => moduleOf(`wsgi: ${"a".repeat(10_000)}:app`)).toThrow(
      expect.objectContaining({
        code: "BUILD_TREE_INVALID",
        message: `Procfile: wsgi: "${"a".repeat(100)}" is not module:callable`,
      }),
    );
  });

  it.each([
    ["web: gunicorn shop:app", "Add this line to the Procfile: wsgi: shop:app"],
    [
      "web: gunicorn --workers 4 -b 0.0.0.0:$PORT config.wsgi:application --log-file -",
      "Add this line to the Procfile: wsgi: config.wsgi:application",
    ],
    [
      "web: gunicorn shop.wsgi --log-file -",
      "Add this line to the Procfile: wsgi: shop.wsgi:application",
    ],
    [
      "web: python manage.py migrate && gunicorn --bind=0.0.0.0:$PORT shop.wsgi",
      "Add this line to the Procfile: wsgi: shop.wsgi:application",
    ],
    [
      `web: gunicorn "flaskr:create_app()"`,
      "Write a file wsgi.py: from flaskr import create_app; application = create_app(). Add this line to the Procfile: wsgi: wsgi:application",
    ],
    [
      "web: cd backend && gunicorn shop.wsgi",
      "Have APP run in that folder, and push again: reeve options APP set root=backend",
    ],
    [
      "web: gunicorn --chdir=backend shop.wsgi",
      "Have APP run in that folder, and push again: reeve options APP set root=backend",
    ],
    ["web: cd ../.. && gunicorn shop:app", "Add this line to the Procfile: wsgi: shop:app"],
    [
      "web: uvicorn main:app --host 0.0.0.0",
      "Add a2wsgi to requirements.txt. Write a file wsgi.py: from functools import cache; from a2wsgi import ASGIMiddleware; from main import app; adapter = cache(lambda: ASGIMiddleware(app)); application = lambda *request: adapter()(*request). Add this line to the Procfile: wsgi: wsgi:application",
    ],
    [
      "web: waitress-serve --port=$PORT --call shop:create_app",
      "Write a file wsgi.py: from shop import create_app; application = create_app(). Add this line to the Procfile: wsgi: wsgi:application",
    ],
    ["web: gunicorn main", "Add this line to the Procfile: wsgi: main:application"],
    [
      "web: gunicorn shop.server -k gevent",
      "Add this line to the Procfile: wsgi: shop.server:application",
    ],
    [
      "web: bin/gunicorn --workers=4 -b :$PORT shop.server",
      "Add this line to the Procfile: wsgi: shop.server:application",
    ],
    ["web: gunicorn -c gunicorn", "Add one to the Procfile: wsgi: module:callable"],
    [
      "web: python backend/manage.py runserver 0.0.0.0:$PORT",
      "Have APP run in that folder, and push again: reeve options APP set root=backend",
    ],
    ["web: python app.py", "Add one to the Procfile: wsgi: module:callable"],
    ["worker: celery -A shop:app", "Add one to the Procfile: wsgi: module:callable"],
    ["", "Add one to the Procfile: wsgi: module:callable"],
  ])("%j has no line for reeve, and the hint says which one it needs", (text, hint) => {
    expect(() => moduleOf(text)).toThrow(
      expect.objectContaining({ code: "MODULE_NOT_FOUND", hint }),
    );
  });
});

describe("what a repository wants to run", () => {
  const django = {
    "manage.py": "",
    "shop/wsgi.py": "",
    "shop/settings.py": "",
    "cart/models.py": "",
  };

  it.each<[string, Files, string]>([
    [
      "its Procfile's word, whatever else is there",
      { Procfile: "wsgi: x:y", "app.py": "", "wsgi.py": "" },
      "x:y",
    ],
    ["app.py before wsgi.py and Django", { "app.py": "", "wsgi.py": "", ...django }, "app:app"],
    ["wsgi.py before Django", { "wsgi.py": "", ...django }, "wsgi:application"],
    ["the one Django project", django, "shop.wsgi:application"],
    [
      "an app.py that is a link inside the repository",
      { "app.py": { link: "main.py" }, "main.py": "" },
      "app:app",
    ],
    [
      "the Procfile that a link leads to",
      { Procfile: { link: "etc/Procfile" }, "etc/Procfile": "wsgi: x:y" },
      "x:y",
    ],
  ])("is %s", async (_, files, module) => {
    expect(await moduleOf(files)).toBe(module);
  });

  it.each<[string, Files]>([
    ["there is nothing", { "README.md": "" }],
    ["app.py leads out of the repository", { "app.py": { link: "/etc/passwd" } }],
    ["app.py is a folder", { "app.py/x": "" }],
    ["the project is too deep", { "a/b/c/shop/wsgi.py": "" }],
    ["the project's folder cannot be imported", { "my-shop/wsgi.py": "" }],
    ["the Procfile leads out of the repository", { Procfile: { link: "/proc/self/environ" } }],
  ])("is not known where %s, and what was looked for is said", async (_, files) => {
    expect(await proposalOf(files)).toEqual({
      problem: {
        code: "MODULE_NOT_FOUND",
        message:
          "no app was found. Looked for: Procfile, app.py (app:app), wsgi.py (wsgi:application), */wsgi.py (Django)",
        hint: "Name it in a file called Procfile: wsgi: module:callable",
      },
    });
  });

  it.each<[string, Files, string]>([
    ["its Procfile", { "backend/Procfile": "wsgi: x:y" }, "backend"],
    ["app.py", { "backend/app.py": "", "frontend/package.json": "" }, "backend"],
    ["Django", { "backend/manage.py": "", "backend/shop/wsgi.py": "" }, "backend"],
    [
      "a flat project that is no package",
      { "backend/manage.py": "", "backend/wsgi.py": "", "backend/settings.py": "" },
      "backend",
    ],
    ["Django without manage.py", { "src/shop/wsgi.py": "" }, "src"],
    ["Django below its manage.py", { "manage.py": "", "src/shop/wsgi.py": "" }, "src"],
    [
      "an app further below",
      { "services/api/app.py": "", "services/web/x.js": "" },
      "services/api",
    ],
    ["several apps", { "web/app.py": "", "api/app.py": "", "api/old/app.py": "" }, "api, web"],
  ])("is told to stand in a folder: %s", async (_, files, found) => {
    const [first = ""] = found.split(", ");

    expect(await proposalOf(files)).toMatchObject({
      problem: {
        code: "MODULE_NOT_FOUND",
        message: `no app was found at the top of the repository, but in ${found}`,
        hint: expect.stringMatching(
          new RegExp(`, and push again: reeve options demo set root=${first}$`),
        ) as string,
      },
    });
    expect(await proposalOf(files, first)).toMatchObject({ root: first });
  });

  it.each([
    ["shop", "shop.app:app"],
    ["src/shop", "shop.app:app"],
    ["services/shop", "services.shop.app:app"],
  ])("is told to stand in a package %s", async (folder, module) => {
    expect(
      await proposalOf({ [`${folder}/__init__.py`]: "", [`${folder}/app.py`]: "" }),
    ).toMatchObject({
      problem: {
        code: "MODULE_NOT_FOUND",
        hint: `Add this line to the Procfile: wsgi: ${module}`,
      },
    });
  });

  it.each<[string, Files]>([
    ["setup.py", { "setup.py": "" }],
    ["pyproject.toml", { "pyproject.toml": '[build-system]\nrequires = ["hatchling"]\n' }],
  ])("is told by its package's name where %s has it installed", async (_, files) => {
    expect(await proposalOf({ ...files, "src/shop/wsgi.py": "" })).toMatchObject({
      problem: { hint: "Add this line to the Procfile: wsgi: shop.wsgi:application" },
    });
  });

  it("is not read from a Procfile in UTF-16 that does not say so", async () => {
    expect(await proposalOf({ Procfile: "w\0s\0g\0i\0:\0x\0:\0y\0" })).toMatchObject({
      problem: {
        message: "Procfile holds a zero byte",
        hint: expect.stringContaining("iconv -f UTF-16LE -t UTF-8 'Procfile'") as string,
      },
    });
  });

  it.each<[string, Files, string]>([
    ["app.py", { "app.py": "" }, "app:app"],
    ["wsgi.py", { "wsgi.py": "" }, "wsgi:application"],
    ["the one Django project", django, "shop.wsgi:application"],
  ])("is told from %s where the Procfile names no callable", async (_, files, module) => {
    expect(await proposalOf({ Procfile: "web: python app.py", ...files })).toMatchObject({
      problem: { hint: `Add this line to the Procfile: wsgi: ${module}` },
    });
  });

  it.each<[string, Files]>([
    ["too deep", { "a/b/c/d/app.py": "" }],
    ["with a name that no option has", { ".hidden/app.py": "", "my folder/app.py": "" }],
  ])("is not looked for in every folder: %s", async (_, files) => {
    expect(await proposalOf(files)).toMatchObject({
      problem: { message: expect.stringMatching(/^no app was found\. Looked for/) as string },
    });
  });

  it.each<[string, Files, string]>([
    ["its Procfile", { Procfile: "wsgi: no:no", "backend/Procfile": "wsgi: x:y" }, "x:y"],
    ["app.py", { "wsgi.py": "", "backend/app.py": "" }, "app:app"],
    [
      "the one Django project",
      { "backend/manage.py": "", "backend/shop/wsgi.py": "" },
      "shop.wsgi:application",
    ],
    [
      "what a link in the repository leads to",
      { backend: { link: "src/b" }, "src/b/app.py": "" },
      "app:app",
    ],
  ])("is looked for in the folder that the option names: %s", async (_, files, module) => {
    expect(await proposalOf(files, "backend")).toMatchObject({
      processes: [{ module }],
      root: "backend",
    });
  });

  it.each<[string, Files, string]>([
    ["is not there", { "app.py": "" }, "which this commit does not have"],
    ["is a file", { backend: "" }, "which is a file in this commit"],
    [
      "leads out",
      { backend: { link: "/etc" } },
      "which leads out of the repository in this commit",
    ],
    [
      "leads up",
      { backend: { link: "../../etc" } },
      "which leads out of the repository in this commit",
    ],
  ])("is not looked for in a folder that %s", async (_, files, why) => {
    expect(await proposalOf(files, "backend")).toEqual({
      problem: {
        code: "MODULE_NOT_FOUND",
        message: `the option root of demo is backend, ${why}`,
        hint: "Push a commit that has it; or have demo run in the whole repository, and push again: reeve options demo set root=",
      },
    });
  });

  it("is not guessed where there are two projects", async () => {
    expect(await proposalOf({ "shop/wsgi.py": "", "blog/wsgi.py": "" })).toMatchObject({
      problem: {
        code: "MODULE_NOT_FOUND",
        message: "there is more than one app here: blog/wsgi.py, shop/wsgi.py",
      },
    });
  });

  it("is never a request that the agent would not take", async () => {
    const long = `${"a".repeat(300)}:app`;
    const { proposal } = agentVerbs.prepare.input.shape;

    const proposed = await Promise.all([
      proposalOf({ Procfile: "wsgi: x:y", "requirements.txt": "-r a/b.txt", "a/b.txt": "x" }),
      proposalOf({ Procfile: `wsgi: ${long}` }),
      proposalOf({ Procfile: `web: gunicorn ${long}` }),
      proposalOf({ Procfile: "?".repeat(100_000) }),
      proposalOf({
        "app.py": "",
        "requirements.txt": `-r ../${"a/".repeat(7000)}b.txt`,
      }),
      proposalOf({
        "app.py": "",
        "requirements.txt": `-r ${"a/".repeat(700)}b.txt`,
        [`${"a/".repeat(700)}b.txt`]: "",
      }),
      proposalOf(
        Object.fromEntries(
          Array.from({ length: 100 }, (_, n) => [`${"p".repeat(150)}${n}/wsgi.py`, ""]),
        ),
      ),
    ]);

    expect(proposed.map((one) => proposal.safeParse(one).success)).toEqual(
      proposed.map(() => true),
    );
  });
});

describe("what a repository requires", () => {
  it("is nothing without requirements.txt", async () => {
    expect(await requirementsOf({})).toEqual([]);
  });

  it("is the requirements.txt of the folder that the option names, and what that includes from anywhere", async () => {
    const files = {
      "requirements.txt": "no\n",
      "backend/requirements.txt": "-r ../requirements/base.txt\n-r more.txt\n",
      "requirements/base.txt": "flask\n",
      "backend/more.txt": "click\n",
      "backend/app.py": "",
    };

    const proposal = await proposalOf(files, "backend");

    expect("requirements" in proposal && proposal.requirements.map(({ path }) => path)).toEqual([
      "backend/requirements.txt",
      "requirements/base.txt",
      "backend/more.txt",
    ]);
  });

  it.each<[string, string, Files]>([
    ["uv.lock", "uv export --no-dev --no-hashes -o requirements.txt", { "pyproject.toml": "" }],
    ["poetry.lock", "poetry export -o requirements.txt", { "pyproject.toml": "" }],
    ["pdm.lock", "pdm export --prod -o requirements.txt", {}],
    ["Pipfile.lock", "pipenv requirements > requirements.txt", { Pipfile: "" }],
    [
      "pyproject.toml",
      "uv pip compile pyproject.toml -o requirements.txt",
      { "pyproject.toml": '[project]\nname = "x"\ndependencies = [\n  "flask",\n]\n' },
    ],
    [
      "pyproject.toml",
      'echo "-e ." > requirements.txt',
      { "pyproject.toml": '[project]\ndependencies = ["flask"]\n', "src/shop/__init__.py": "" },
    ],
    [
      "pyproject.toml",
      "uv pip compile pyproject.toml -o requirements.txt",
      { "pyproject.toml": '[tool.poetry.dependencies]\npython = "^3.11"\nflask = "*"\n' },
    ],
    [
      "pyproject.toml",
      "uv pip compile pyproject.toml -o requirements.txt",
      { "pyproject.toml": '[project]\ndynamic = [\n  "version",\n  "dependencies",\n]\n' },
    ],
    ["requirements.in", "uv pip compile requirements.in -o requirements.txt", {}],
    [
      "requirements/production.txt",
      'echo "-r requirements/production.txt" > requirements.txt',
      { "requirements/base.txt": "", "requirements/dev.txt": "", "setup.py": "" },
    ],
    ["requirements-prod.txt", 'echo "-r requirements-prod.txt" > requirements.txt', {}],
    [
      "setup.cfg",
      'echo "-e ." > requirements.txt',
      {
        "setup.cfg": "[options]\npackages = find:\ninstall_requires =\n    flask\n",
        "setup.py": "",
      },
    ],
    [
      "setup.py",
      'echo "-e ." > requirements.txt',
      { "setup.py": "setup(name='x', install_requires=['flask'])", "pyproject.toml": "" },
    ],
  ])("is asked for where %s declares it: %s", async (name, line, files) => {
    const at = (folder: string): Files =>
      Object.fromEntries(
        Object.entries({ [name]: "", ...files, "app.py": "" }).map(([path, text]) => [
          `${folder}${path}`,
          text,
        ]),
      );

    expect(await proposalOf(at(""))).toEqual({
      problem: {
        code: "BUILD_TREE_INVALID",
        message: `${name} names packages, and reeve installs those of requirements.txt, which is not there`,
        hint: `Write it, commit, and push again: ${line}`,
      },
    });
    expect(await proposalOf(at("backend/"), "backend")).toMatchObject({
      problem: { hint: `Write it, commit, and push again: cd backend && ${line}` },
    });
    expect(await proposalOf({ ...at(""), "requirements.txt": "" })).toMatchObject({
      processes: [{ module: "app:app" }],
    });
  });

  it.each([
    ["backend", "echo '-r ../requirements.txt' > backend/requirements.txt"],
    ["services/api", "echo '-r ../../requirements.txt' > services/api/requirements.txt"],
  ])("are asked for in the folder %s where they stand above it", async (folder, line) => {
    const files = { "requirements.txt": "flask", [`${folder}/app.py`]: "" };

    expect(await proposalOf(files, folder)).toEqual({
      problem: {
        code: "BUILD_TREE_INVALID",
        message: `requirements.txt names packages, and reeve installs those of ${folder}/requirements.txt, which is not there`,
        hint: `Write it, empty if it needs none, commit, and push again: ${line}`,
      },
    });
    expect(
      await proposalOf({ ...files, [`${folder}/requirements.txt`]: "" }, folder),
    ).toMatchObject({ processes: [{ module: "app:app" }] });
  });

  it("are asked for where a heading of pyproject.toml has a comment", async () => {
    const text = '[ project ] # ours\ndependencies = ["flask"]\n';

    expect(await proposalOf({ "pyproject.toml": text, "app.py": "" })).toMatchObject({
      problem: { code: "BUILD_TREE_INVALID" },
    });
  });

  it.each([
    "[tool.black]\nline-length = 100\n",
    '[project]\nname = "x"\ndependencies = []\n',
    '[tool.poetry.dependencies]\npython = "^3.11"\n',
    '[dependency-groups]\ndev = ["pytest"]\n',
    "not = toml [",
    '[project]\ndynamic = ["version"]\n[tool.x]\ny = "dependencies"\n',
  ])("is nothing where pyproject.toml asks for no packages: %j", async (text) => {
    expect(await requirementsOf({ "pyproject.toml": text })).toEqual([]);
  });

  it.each<Files>([
    { "setup.py": "setup(name='x', install_requires=[ ])" },
    { "setup.py": "# install_requires=['flask']\nsetup()" },
    { "setup.cfg": "[options]\ninstall_requires =\n[options.extras_require]\ndev = pytest\n" },
    { "requirements/dev.txt": "pytest", "requirements-test.txt": "pytest" },
  ])("is nothing where %j asks for no packages", async (files) => {
    expect(await requirementsOf(files)).toEqual([]);
  });

  it("is requirements.txt and what it includes, and what that includes, each once", async () => {
    const texts = {
      "requirements.txt": "-r requirements/base.txt\n-c constraints.txt\nflask\n",
      "requirements/base.txt": "--requirement=more.txt\n-r ../requirements.txt\n",
      "requirements/more.txt": "click\n",
      "constraints.txt": "flask==3.1.3\n",
    };

    const found = await requirementsOf(texts);

    expect(found).toEqual(
      ["requirements.txt", "requirements/base.txt", "constraints.txt", "requirements/more.txt"].map(
        (path) => [path, texts[path as keyof typeof texts]],
      ),
    );
  });

  it("includes a file in every way in which pip would", async () => {
    const ways = [
      "-r one.txt",
      "-rtwo.txt",
      "  -r   three.txt  # the base",
      "--requirement four.txt",
      "--requirement=five.txt",
      "-c six.txt",
      "--constraint seven.txt",
      '-r "eight.txt"',
      "-r ./nine.txt",
      "-r shop/../ten.txt",
      "--requ \\",
      "  eleven.txt",
      "-r 'twelve'.txt # more",
      "-r thir\\teen.txt",
      "-r=fourteen.txt",
      "\t-r\tfifteen.txt\r",
    ];
    const included =
      "one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen".split(
        " ",
      );
    const files = Object.fromEntries(included.map((name) => [`${name}.txt`, `${name}\n`]));

    const found = await requirementsOf({ "requirements.txt": ways.join("\n"), ...files });

    expect(found).toEqual([["requirements.txt", ways.join("\n")], ...Object.entries(files)]);
  });

  it("includes nothing by other lines", async () => {
    const text = "# -r base.txt\nflask  # -r base.txt\n-r https://example.org/base.txt\n-e .\n";

    expect(await requirementsOf({ "requirements.txt": text })).toEqual([
      ["requirements.txt", text],
    ]);
  });

  it("may be a link inside the repository", async () => {
    expect(
      await requirementsOf({ "requirements.txt": { link: "etc/r.txt" }, "etc/r.txt": "flask\n" }),
    ).toEqual([["requirements.txt", "flask\n"]]);
  });

  it.each(["/etc/shadow", "../../../srv/b/env", "../x.txt", "a/../../x.txt", "..", "nosuch.txt"])(
    "includes nothing by %s, which is not in the repository",
    async (path) => {
      const text = `-r ${path}\n`;

      expect(await requirementsOf({ "requirements.txt": text, "x.txt": "" })).toEqual([
        ["requirements.txt", text],
      ]);
    },
  );

  it("may be in any encoding that says which it is", () => {
    const name = "caf\u00e9";
    const encodings = {
      "utf-8.txt": Buffer.from(`\ufeff${name}\n`),
      "utf-16le.txt": Buffer.from(`\ufeff${name}\r\n`, "utf16le"),
      "utf-16be.txt": Buffer.from(`\ufeff${name}\n`, "utf16le").swap16(),
      "latin-1.txt": Buffer.from(`# -*- coding: latin-1 -*-\n${name}\n`, "latin1"),
      "cp1252.txt": Buffer.from(`# a list\n# vim: set fileencoding=cp1252 :\n${name}\n`, "latin1"),
      "ascii.txt": Buffer.from("# -*- coding: ascii -*-\nname\n"),
    };

    const read = Object.entries(encodings).map(([path, bytes]) => decodeRequirements(path, bytes));

    expect(read).toEqual([
      `${name}\n`,
      `${name}\r\n`,
      `${name}\n`,
      `# -*- coding: utf-8 -*-\n${name}\n`,
      `# a list\n# vim: set fileencoding=utf-8 :\n${name}\n`,
      "# -*- coding: ascii -*-\nname\n",
    ]);
  });

  it.each([
    ["no UTF-8", Buffer.from("caf\u00e9", "latin1")],
    ["UTF-16 that does not say so", Buffer.from("caf\u00e9", "utf16le")],
    [
      "UTF-32",
      Buffer.concat([
        Buffer.from([0xff, 0xfe, 0, 0]),
        Buffer.from("c\0\0\0a\0\0\0f\0\0\0\u00e9\0\0\0", "latin1"),
      ]),
    ],
  ])("is refused as %s with the line that mends it", (_, bytes) => {
    const folder = temporaryFolder();
    const path = "it's.txt";
    writeFileSync(join(folder, path), bytes);
    const hint = hintOf(() => decodeRequirements(path, bytes));

    execFileSync("sh", ["-c", hint.slice(hint.indexOf("iconv"))], { cwd: folder });

    expect(decodeRequirements(path, readFileSync(join(folder, path)))).toBe("caf\u00e9");
  });

  it.each<[string, Files, string]>([
    [
      "leads out of it",
      { "requirements.txt": { link: "/etc/shadow" } },
      "requirements.txt: there is no such file",
    ],
    [
      "is larger than any such file",
      { "requirements.txt": "#".repeat(1024 * 1024 + 1) },
      "requirements.txt: there is no such file in the repository, or it is larger than 1 MiB",
    ],
    ["is a folder", { "requirements.txt/x": "" }, "requirements.txt: there is no such file"],
    ["holds a zero byte", { "requirements.txt": "flask\0" }, "requirements.txt holds a zero byte"],
    [
      "includes files without end",
      Object.fromEntries(
        Array.from({ length: 60 }, (_, n) => [
          n === 0 ? "requirements.txt" : `r${n}.txt`,
          `-r r${n + 1}.txt\n`,
        ]),
      ),
      "requirements.txt includes more than 50 files",
    ],
  ])("is refused where a file %s", async (_, files, message) => {
    expect(await requirementsOf(files)).toContain(`BUILD_TREE_INVALID: ${message}`);
  });

  it("may include itself", async () => {
    expect(await requirementsOf({ "requirements.txt": "-r requirements.txt\n" })).toEqual([
      ["requirements.txt", "-r requirements.txt\n"],
    ]);
  });
});
