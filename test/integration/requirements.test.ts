import { execFileSync } from "node:child_process";
import {
  chmodSync,
  lstatSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  statSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { beforeAll, describe, expect, it } from "vitest";
import { evaluatingApp, slowPackage } from "../support/apps.ts";
import { PackageIndex } from "../support/package-index.ts";
import { eventually } from "../support/server.ts";
import { addSource, addWheel, fromWheels, wheelFolder } from "../support/wheels.ts";
import { withApp, withServer, withWorkspace } from "../support/with-server.ts";
import type { Workspace } from "../support/workspace.ts";

const isLong = process.env["ROUNDS"] !== undefined;

const versions = evaluatingApp(
  "{name: getattr(__import__(name), 'version') for name in ('greeting', 'farewell') if importlib.util.find_spec(name)}",
  "import importlib.util",
);

describe("requirements", () => {
  const wheels = wheelFolder();
  const server = withServer();
  const demo = withWorkspace(server, "demo", {
    ...versions,
    "requirements.txt": fromWheels(wheels, "greeting==1.0", "farewell"),
  });
  let first: string;

  const environments = (): string[] =>
    readdirSync(server.path("srv/demo/envs")).filter((name) => /^[0-9a-f]{16}$/.test(name));
  const environment = async (): Promise<string> => {
    await server.settled("demo");
    return readlinkSync(server.path("srv/demo/env"));
  };

  beforeAll(async () => {
    first = (await demo.push()).output;
  });

  it("are installed into an environment of the app's own", async () => {
    expect(first).toMatch(/environment {2}built with uv, 2 packages/);
    expect((await server.get("demo")).body).toBe("{'greeting': '1.0', 'farewell': '1.0'}");
  });

  it("that change make a new environment, from which a removed package is gone", async () => {
    const before = await environment();

    const push = await demo.deploy({ "requirements.txt": fromWheels(wheels, "greeting==2.0") });

    expect(push.exitCode, push.output).toBe(0);
    expect((await server.get("demo")).body).toBe("{'greeting': '2.0'}");
    expect(await environment()).not.toBe(before);
    expect(server.read("srv/demo/requirements.txt")).toBe(demo.read("requirements.txt"));
    expect(server.read("etc/vassals/demo.ini")).toContain(
      `virtualenv = ${server.path("srv/demo", await environment())}\n`,
    );
  });

  it("that change back find the environment they had, and nothing is built", async () => {
    const there = environments();

    const push = await demo.deploy({
      "requirements.txt": fromWheels(wheels, "greeting==1.0", "farewell"),
    });

    expect(push.output).toMatch(/environment {2}unchanged/);
    expect((await server.get("demo")).body).toBe("{'greeting': '1.0', 'farewell': '1.0'}");
    expect(environments()).toEqual(there);
  });

  it("count with every file that they include", async () => {
    const push = await demo.deploy({
      "requirements.txt": `-r requirements/base.txt\n`,
      "requirements/base.txt": fromWheels(wheels, "greeting", "-c limits.txt"),
      "requirements/limits.txt": "greeting<2\n",
    });
    expect(push.output).toMatch(/built with uv, 1 package/);
    expect((await server.get("demo")).body).toBe("{'greeting': '1.0'}");

    const limits = await demo.deploy({ "requirements/limits.txt": "greeting<3\n" });

    expect(limits.output).toMatch(/built with uv/);
    expect((await server.get("demo")).body).toBe("{'greeting': '2.0'}");
  });

  it("may name packages of the repository itself, editable or not", async () => {
    const project = (version: string): string =>
      `[project]\nname = "farewell"\nversion = "${version}"\n[build-system]\nrequires = []\nbuild-backend = "backend"\nbackend-path = ["."]\n`;
    const backend = `
import zipfile
def build_wheel(folder, config_settings=None, metadata_directory=None):
    version = open("VERSION").read().strip()
    name = f"farewell-{version}-py3-none-any.whl"
    info = f"farewell-{version}.dist-info"
    open("scratch", "w").close()
    with zipfile.ZipFile(f"{folder}/{name}", "w") as wheel:
        wheel.writestr("farewell.py", f"version = {version!r}")
        wheel.writestr(f"{info}/METADATA", f"Metadata-Version: 2.1\\nName: farewell\\nVersion: {version}\\n")
        wheel.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\\nGenerator: t\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n")
        wheel.writestr(f"{info}/RECORD", "")
    return name
`;
    const push = await demo.deploy({
      "requirements.txt": "-e ./farewell  # our own\n",
      requirements: null,
      "farewell/pyproject.toml": project("3.0"),
      "farewell/backend.py": backend,
      "farewell/VERSION": "3.0",
    });

    expect(push.exitCode, push.output).toBe(0);
    expect((await server.get("demo")).body).toBe("{'farewell': '3.0'}");
    const again = await demo.deploy({
      "farewell/pyproject.toml": project("3.1"),
      "farewell/VERSION": "3.1",
    });
    expect(again.output).toMatch(/built with uv/);
    expect((await server.get("demo")).body).toBe("{'farewell': '3.1'}");
  });

  it.each([
    ["./farewell \\\n  ; python_version > '3'\n", "requirements.txt, line 1: ./farewell"],
    [fromWheels(wheels, "greeting>=1.*"), "greeting>=1.*"],
  ])(
    "of which only pip takes a line are refused with the option that helps: %j",
    async (text, shown) => {
      const refused = await demo.deploy({ "requirements.txt": text });

      expect(refused.exitCode).toBe(1);
      expect(refused.output).toContain(shown);
      const [, option = ""] =
        /reeve (options demo set \S+), and push again/.exec(refused.output) ?? [];
      expect((await server.reeve(...option.split(" "))).exitCode).toBe(0);
      const push = await demo.push("+HEAD:main");
      expect(push.output).toMatch(/built with pip, 1 package/);
      await server.reeve("options", "demo", "set", "installer=");
    },
  );

  it("find what stands in a folder of the tree, and nothing is built for what does not", async () => {
    const wheel = (name: string): Buffer => readFileSync(join(wheels, `${name}-py3-none-any.whl`));
    const first = await demo.deploy({
      "requirements.txt": "--no-index\n-f ./packages\ngreeting  # the newest\n",
      "packages/greeting-1.0-py3-none-any.whl": wheel("greeting-1.0"),
      farewell: null,
    });
    expect(first.exitCode, first.output).toBe(0);
    const before = await environment();
    const code = await demo.deploy({ README: "More.\n" });
    expect(code.output).toMatch(/environment {2}unchanged/);

    const push = await demo.deploy({
      "packages/greeting-2.0-py3-none-any.whl": wheel("greeting-2.0"),
    });

    expect(push.output).toMatch(/built with uv, 1 package/);
    expect((await server.get("demo")).body).toBe("{'greeting': '2.0'}");
    expect(await environment()).not.toBe(before);
  });

  it("come from a folder of the tree as they would from nothing, also where that version is there already", async () => {
    const index = await PackageIndex.start(wheels, "secret");
    const requirements = `-i ${index.address("secret")}\n-f packages\ngreeting==1.0\n`;
    const own = mkdtempSync(join(tmpdir(), "reeve-wheels-"));
    const ours = { "greeting.py": "version = 'ours'\n" };
    addWheel(own, "greeting", "1.0", ours);
    const name = "greeting-1.0-py3-none-any.whl";
    await demo.deploy({ "requirements.txt": requirements, [`packages/${name}`]: null });
    expect((await server.get("demo")).body).toBe("{'greeting': '1.0'}");

    const push = await demo.deploy({ [`packages/${name}`]: readFileSync(join(own, name)) });

    index.stop();
    expect(push.exitCode, push.output).toBe(0);
    expect((await server.get("demo")).body).toBe("{'greeting': 'ours'}");
  });

  it("may come from PowerShell, and are refused where a file is missing", async () => {
    const text = `\ufeff--no-index\r\n-f packages\r\ngreeting==2.0\r\n-r more.txt\r\n`;
    const written = { "requirements.txt": Buffer.from(text, "utf16le") };
    const refused = await demo.deploy(written);
    expect(refused.output).toContain(
      "error[BUILD_TREE_INVALID]: requirements.txt, line 4: includes more.txt: there is no such file",
    );

    const push = await demo.deploy({ "more.txt": "# nothing\n" });

    expect(push.exitCode, push.output).toBe(0);
    expect((await server.get("demo")).body).toBe("{'greeting': '2.0'}");
  });

  it("that are missing mean an empty environment", async () => {
    const push = await demo.deploy({ "requirements.txt": null, packages: null });

    expect(push.output).toMatch(/built with uv, 0 packages/);
    expect((await server.get("demo")).body).toBe("{}");
  });

  it("are built anew, in full, by `reeve rebuild`", async () => {
    const before = await environment();

    const { exitCode, output } = await server.reeve("rebuild", "demo");

    expect(exitCode, output).toBe(0);
    expect(output).toMatch(/built with uv/);
    expect(await environment()).not.toBe(before);
  });

  it("whose build hangs keep no other branch waiting", async () => {
    await demo.push();
    const head = await demo.head();
    const commits: string[] = [];
    for (const files of [slowPackage(60), { "requirements.txt": fromWheels(wheels, "farewell") }]) {
      demo.write(files);
      commits.push(await demo.commit("On a branch"));
      await demo.git("reset", "--quiet", "--hard", head);
    }
    const [hanging, other] = commits;
    let said = "";
    const slow = demo.start("push", "deploy", `${hanging}:refs/heads/slow`);
    slow.all.on("data", (chunk: Buffer) => (said += chunk.toString()));
    await eventually(() => server.runs(/uv pip install.*preview-envs/), 20_000);

    for (const refspec of [
      `${other}:refs/heads/other`,
      `+${other}:refs/heads/other`,
      "+HEAD:main",
    ]) {
      const push = await demo.push(refspec);
      expect(push.exitCode, push.output).toBe(0);
    }
    expect(said).not.toMatch(/ environment +(built|unchanged)/);

    await server.reeve("cancel", "demo", "-b", "slow");
    expect((await slow).exitCode).toBe(1);
    await server.settled("demo");
  });
});

describe("an environment of changed requirements", () => {
  const wheels = wheelFolder();
  const server = withServer();

  const environment = async (): Promise<string> => {
    await server.settled("demo");
    return server.path("srv/demo", readlinkSync(server.path("srv/demo/env")));
  };
  /** Every file with what it holds; bytecode says where it was compiled, and RECORD what it is as long as. */
  const contents = (folder: string): Record<string, string> =>
    Object.fromEntries(
      readdirSync(folder, { recursive: true, encoding: "utf8" })
        .sort()
        .map((name) => {
          const path = join(folder, name);
          const isText = lstatSync(path).isFile() && !/\.pyc$|RECORD$/.test(name);
          const text = isText ? readFileSync(path, "latin1").replaceAll(folder, "HERE") : "";
          return [name, text];
        }),
    );
  const inode = (folder: string, name: string): number =>
    statSync(join(folder, "lib", pythonOf(folder), "site-packages", name)).ino;
  const pythonOf = (folder: string): string =>
    readdirSync(join(folder, "lib")).find((name) => name.startsWith("python")) ?? "";

  beforeAll(() => {
    addWheel(wheels, "tool", "1.0", {
      "tool.py": "def main(): print('tool')\n",
      "tool-1.0.dist-info/entry_points.txt": "[console_scripts]\ntool = tool:main\n",
    });
    // Both bring along the same file, as packages with tests in them do.
    addWheel(wheels, "left", "1.0", { "left.py": "", "tests/__init__.py": "" });
    addWheel(wheels, "right", "1.0", { "right.py": "", "tests/__init__.py": "" });
  });
  const demo = withApp(server, "demo", {
    ...versions,
    "requirements.txt": fromWheels(wheels, "greeting==1.0", "farewell", "tool", "left", "right"),
  });

  it.each<[string, string[]]>([
    ["another version", ["greeting==2.0", "farewell", "tool", "left", "right"]],
    ["a package less, a file of which another one has as well", ["greeting", "tool", "right"]],
    ["nothing of before", ["farewell"]],
  ])("is what it would be, had it begun with nothing: %s", async (_, requirements) => {
    const push = await demo.deploy({ "requirements.txt": fromWheels(wheels, ...requirements) });
    expect(push.exitCode, push.output).toBe(0);
    const built = contents(await environment());
    const packages = (await server.reeve("show", "demo", "--json")).output;

    const rebuild = await server.reeve("rebuild", "demo");

    expect(rebuild.exitCode, rebuild.output).toBe(0);
    expect(contents(await environment())).toEqual(built);
    expect(packagesIn((await server.reeve("show", "demo", "--json")).output)).toEqual(
      packagesIn(packages),
    );
  });

  it("shares the files of what did not change, and no script of it names another one", async () => {
    await demo.deploy({
      "requirements.txt": fromWheels(wheels, "greeting==1.0", "tool", "farewell"),
    });
    const before = await environment();

    const push = await demo.deploy({
      "requirements.txt": fromWheels(wheels, "greeting==2.0", "tool", "farewell"),
    });

    const now = await environment();
    expect(push.output).toMatch(/Installed 1 package/);
    expect(inode(now, "farewell.py")).toBe(inode(before, "farewell.py"));
    expect(inode(now, "greeting.py")).not.toBe(inode(before, "greeting.py"));
    expect(execFileSync(join(now, "bin/tool"), { encoding: "utf8" })).toBe("tool\n");
    for (const text of Object.values(contents(now))) expect(text).not.toContain(before);
    const workshops = readdirSync(server.path("srv/demo/envs/.cache"));
    expect(
      workshops.filter((name) => !/^\d+$/.test(name)),
      "what it began with",
    ).toEqual([]);
  });

  it("installs anew what is asked for by a hash, whatever version is there", async () => {
    await demo.deploy({ "requirements.txt": fromWheels(wheels, "greeting==1.0") });

    const push = await demo.deploy({
      "requirements.txt": fromWheels(wheels, `greeting==1.0 --hash=sha256:${"0".repeat(64)}`),
    });

    expect(push.exitCode, push.output).toBe(1);
    expect(push.output).toMatch(/[Hh]ash/);
  });
});

/** A project of a layout that many have, with a template that no manifest names; `needs` is what it requires. */
function project(needs: string, more: Record<string, string> = {}): Record<string, string> {
  const backend = `
import os, re, zipfile

described = open(".git_archival.txt").read() if os.path.exists(".git_archival.txt") else ""
tagged = re.search(r"describe-name: v([0-9.]+)$", described, re.M)
version = os.environ.get("SHOP_VERSION", tagged[1] if tagged else "1.0") + ("+seen" if "SHOP_SECRET" in os.environ else "")

def wheel(folder, editable):
    if os.path.exists("makes"):
        open("src/shop/made.py", "w").close()
    info = f"shop-{version}.dist-info/"
    needs = "".join(f"Requires-Dist: {name}\\n" for name in open("needs").read().split())
    files = {
        info + "METADATA": f"Metadata-Version: 2.1\\nName: shop\\nVersion: {version}\\n" + needs,
        info + "WHEEL": "Wheel-Version: 1.0\\nGenerator: t\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n",
        info + "RECORD": "",
    }
    if editable:
        files["__editable__.shop.pth"] = os.path.abspath("src") + "\\n"
    else:
        for name in os.listdir("src/shop"):
            if name.endswith(".py"):
                files["shop/" + name] = open("src/shop/" + name).read()
    name = f"shop-{version}-py3-none-any.whl"
    with zipfile.ZipFile(os.path.join(folder, name), "w") as file:
        for path, text in files.items():
            file.writestr(path, text)
    return name

def build_wheel(folder, *rest):
    return wheel(folder, False)

def build_editable(folder, *rest):
    return wheel(folder, True)
`;
  return {
    ...evaluatingApp(
      "[shop.page(), shop.__file__, importlib.metadata.version('greeting')]",
      "import importlib.metadata, shop",
    ),
    "pyproject.toml":
      '[project]\nname = "shop"\ndynamic = ["version", "dependencies"]\n[build-system]\nrequires = []\nbuild-backend = "backend"\nbackend-path = ["."]\n',
    "backend.py": backend,
    needs,
    "src/shop/__init__.py":
      "from pathlib import Path\n\ndef page():\n    page = Path(__file__).parent / 'page.html'\n    return page.read_text() if page.exists() else 'no page'\n",
    "src/shop/page.html": "a page",
    ...more,
  };
}

describe("a package of the tree itself", () => {
  let wheels: string;
  const server = withServer();
  let demo: Workspace;

  const page = async (): Promise<string> => (await server.get("demo")).body;
  const release = async (): Promise<string> =>
    server.path("srv/demo/releases", await demo.head(), "src/shop/__init__.py");

  beforeAll(async () => {
    wheels = mkdtempSync(join(tmpdir(), "reeve-wheels-"));
    chmodSync(wheels, 0o755);
    addWheel(wheels, "greeting", "1.0", { "greeting.py": "" });
    addWheel(wheels, "farewell", "1.0", { "farewell.py": "" });
    demo = await server.workspace("demo", {
      ...project("greeting"),
      "requirements.txt": fromWheels(wheels, "-e ."),
    });
  });

  it("that is to be edited is in the release, with all that is beside its sources", async () => {
    const push = await demo.push();

    expect(push.exitCode, push.output).toBe(0);
    expect(await page()).toBe(`['a page', '${await release()}', '1.0']`);
  });

  it("takes nothing anew from the index with a push of something else", async () => {
    addWheel(wheels, "greeting", "2.0", { "greeting.py": "" });

    const push = await demo.deploy({ README: "Read me\n" });

    expect(push.output).toMatch(/Installed 1 package/);
    expect(await page()).toBe(`['a page', '${await release()}', '1.0']`);
  });

  it("brings what it requires by now", async () => {
    await demo.deploy({ needs: "greeting>1 farewell" });

    expect(await page()).toBe(`['a page', '${await release()}', '2.0']`);
    const packages = packagesIn((await server.reeve("show", "demo", "--json")).output);
    expect(packages).toEqual([
      "farewell==1.0",
      "greeting==2.0",
      `-e file://${server.path("srv/demo/releases", await demo.head())}`,
    ]);
  });

  it("brings what the tree has by now in an index of its own, which only its sources name", async () => {
    const own = mkdtempSync(join(tmpdir(), "reeve-wheels-"));
    const wheel = (version: string, text = ""): Record<string, Buffer> => {
      addWheel(own, "greeting", version, { "greeting.py": text });
      const name = `greeting-${version}-py3-none-any.whl`;
      return { [`own/${name}`]: readFileSync(join(own, name)) };
    };
    const [requirements, before] = [demo.read("requirements.txt"), demo.read("pyproject.toml")];
    const sources = '[tool.uv.sources]\ngreeting = { index = "own" }\n';
    const index = '[[tool.uv.index]]\nname = "own"\nurl = "own"\nformat = "flat"\n';
    const first = await demo.deploy({
      ...wheel("1.0"),
      ...evaluatingApp(
        "[importlib.metadata.version('greeting'), hasattr(greeting, 'ours')]",
        "import importlib.metadata, greeting",
      ),
      needs: "greeting",
      "pyproject.toml": `${before}${sources}${index}`,
      "requirements.txt": "-e .\n",
    });
    expect(first.exitCode, first.output).toBe(0);
    expect(await page()).toBe("['1.0', False]");

    await demo.deploy(wheel("1.0", "ours = True\n"));
    expect(await page()).toBe("['1.0', True]");

    await demo.deploy(wheel("2.0"));
    expect(await page()).toBe("['2.0', False]");
    await demo.deploy({
      ...project("greeting>1 farewell"),
      own: null,
      "requirements.txt": requirements,
    });
  });

  it("has its version from a tag that comes with the same push", async () => {
    const version = evaluatingApp(
      "importlib.metadata.version('shop')",
      "import importlib.metadata",
    );
    const before = demo.read("app.py");
    demo.write(version);
    await demo.commit("Version 5");
    await demo.git("tag", "v5.0");

    const push = await demo.git("push", "deploy", "main", "v5.0");

    expect(push.exitCode, push.output).toBe(0);
    expect(await page()).toBe("5.0");
    await demo.deploy({ "app.py": before });
  });

  it("is each branch's own, also of the same commit", async () => {
    expect((await demo.push("HEAD:twin")).exitCode).toBe(0);

    const twin = (await server.get("twin--demo")).body;
    expect(twin).toContain(server.path("srv/twin--demo/releases"));
  });

  it("may be named from the folder that uv calls the project's root", async () => {
    const text = fromWheels(wheels, "-e file:///${PROJECT_ROOT}/");

    const push = await demo.deploy({ "requirements.txt": text });

    expect(push.exitCode, push.output).toBe(0);
    expect(await page()).toBe(`['a page', '${await release()}', '2.0']`);
    await demo.deploy({ "requirements.txt": fromWheels(wheels, "-e .") });
  });

  it("may be asked for by another one alone, by the sources of uv, and is each branch's own as well", async () => {
    const web = Object.entries(project("shop"))
      .filter(([path]) => !path.endsWith("app.py") && !path.endsWith(".html"))
      .map(([path, text]) => [`web/${path}`, text].map((word) => word.replaceAll("shop", "web")));
    const files = Object.fromEntries(web) as Record<string, string>;
    const sources = '[tool.uv.sources]\nshop = { path = "..", editable = true }\n';
    const push = await demo.deploy({
      ...files,
      "web/needs": "shop",
      "web/pyproject.toml": `${files["web/pyproject.toml"]}${sources}`,
      "requirements.txt": fromWheels(wheels, "./web"),
    });
    expect(push.exitCode, push.output).toBe(0);
    expect(await page()).toContain(await release());

    const twin = await demo.push("+HEAD:twin");
    expect(twin.exitCode, twin.output).toBe(0);
    expect((await server.get("twin--demo")).body).toContain(server.path("srv/twin--demo/releases"));

    const made = await demo.deploy({ makes: "" });
    expect(made.exitCode, made.output).toBe(0);
    expect(made.output).toContain("its packages are installed for good");
    expect(await page()).toMatch(/^\['no page', '.*site-packages/);
    await demo.deploy({ web: null, makes: null, "requirements.txt": fromWheels(wheels, "-e .") });
  });

  it("is installed for good where its build leaves files that the release would lack", async () => {
    const push = await demo.deploy({
      makes: "",
      ...evaluatingApp("[shop.page(), shop.made.__name__]", "import shop, shop.made"),
    });

    expect(push.exitCode, push.output).toBe(0);
    expect(push.output).toContain("its packages are installed for good");
    expect(await page()).toBe("['no page', 'shop.made']");
  });

  it("sees of the variables those that the options name, when it is built", async () => {
    await server.reeve("vars", "demo", "set", "SHOP_VERSION=3.0", "SHOP_SECRET=x");
    await server.reeve("options", "demo", "set", "build_variables=SHOP_VERSION PERL5OPT");
    const version = evaluatingApp(
      "importlib.metadata.version('shop')",
      "import importlib.metadata",
    );
    await demo.deploy({ makes: null, ...version });
    expect(await page()).toBe("3.0");

    const changed = await server.reeve("vars", "demo", "set", "SHOP_VERSION=3.1");

    expect(changed.exitCode, changed.output).toBe(0);
    expect(await page()).toBe("3.1");
  });

  it("is installed as it is asked for: not to be edited", async () => {
    await demo.deploy({
      ...project("greeting"),
      makes: null,
      "requirements.txt": fromWheels(wheels, "."),
    });

    expect(await page()).toMatch(/^\['no page', '.*site-packages/);
  });
});

function packagesIn(output: string): unknown {
  return (JSON.parse(output) as { packages?: unknown }).packages;
}

describe("an environment that was pruned", () => {
  const wheels = wheelFolder();
  const server = withServer(["kept_releases = 1"]);

  it("is rebuilt with the versions that it had, also when the index has newer ones by now", async () => {
    const demo = await server.workspace("demo", {
      ...versions,
      "requirements.txt": fromWheels(wheels, "greeting<2"),
    });
    await demo.push();
    const first = await demo.head();
    // What the index has today is another version than what it will have then: `greeting` without a limit.
    await demo.deploy({ "requirements.txt": fromWheels(wheels, "farewell") });
    await server.settled("demo");
    await demo.deploy({ "app.py": `${demo.read("app.py")}\n# again` });
    await server.settled("demo");
    const environments = (): string[] =>
      readdirSync(server.path("srv/demo/envs")).filter((name) => /^[0-9a-f]{16}$/.test(name));
    await eventually(() => environments().length === 1);

    const rollback = await demo.push(`+${first}:main`);

    expect(rollback.exitCode, rollback.output).toBe(0);
    expect(rollback.output).toMatch(/built with uv, 1 package/);
    expect((await server.get("demo")).body).toBe("{'greeting': '1.0'}");
  });
});

describe("an installer's cache", () => {
  const wheels = wheelFolder();
  const server = withServer(["build_cache = 0"]);

  it("that holds more than it may is emptied when a build is over, and the next one fills it again", async () => {
    const demo = await server.workspace("demo", {
      ...versions,
      "requirements.txt": fromWheels(wheels, "greeting==1.0"),
    });
    const cached = (): string[] =>
      readdirSync(server.path("srv/demo/envs/.cache"), {
        recursive: true,
        encoding: "utf8",
      }).filter((path) => path.includes("/uv"));

    const first = await demo.push();
    await eventually(() => cached().length === 0);
    const second = await demo.deploy({ "requirements.txt": fromWheels(wheels, "greeting==2.0") });
    await eventually(() => cached().length === 0);

    for (const { exitCode, output } of [first, second]) expect(exitCode, output).toBe(0);
    expect((await server.get("demo")).body).toBe("{'greeting': '2.0'}");
  });
});

describe("without uv", () => {
  const wheels = wheelFolder();
  const server = withServer(["builds = 1"], { uv: false });

  it("pip builds the same environments", async () => {
    const demo = await server.workspace("demo", {
      ...versions,
      "requirements.txt": fromWheels(wheels, "greeting==1.0", "farewell"),
    });

    const first = await demo.push();
    expect(first.exitCode, first.output).toBe(0);
    expect(first.output).toMatch(/environment {2}built with pip, 2 packages/);
    expect((await server.get("demo")).body).toBe("{'greeting': '1.0', 'farewell': '1.0'}");

    const second = await demo.deploy({ "requirements.txt": fromWheels(wheels, "greeting==2.0") });
    expect(second.exitCode, second.output).toBe(0);
    expect((await server.get("demo")).body).toBe("{'greeting': '2.0'}");
  });

  it.runIf(isLong)(
    "what pip built is built anew where packages are to see something else",
    async () => {
      const demo = await server.workspace("flags", {
        ...evaluatingApp("parting.flag", "import parting"),
        "requirements.txt": fromWheels(addSource(wheels), "parting"),
      });
      await server.reeve("create", "flags");
      await server.reeve("options", "flags", "set", "build_variables=PARTING_FLAG");
      await server.reeve("vars", "flags", "set", "PARTING_FLAG=one");
      await demo.push();
      expect((await server.get("flags")).body).toBe("one");

      const changed = await server.reeve("vars", "flags", "set", "PARTING_FLAG=two");

      expect(changed.exitCode, changed.output).toBe(0);
      expect((await server.get("flags")).body).toBe("two");
    },
  );

  it("pip's own words are what a pusher reads of a package that does not exist", async () => {
    const demo = await server.workspace("other", {
      ...versions,
      "requirements.txt": fromWheels(wheels, "greeting==9.0"),
    });

    const push = await demo.push();

    expect(push.exitCode).toBe(1);
    expect(push.output).toMatch(/No matching distribution found for greeting==9\.0/);
    expect(push.output).toContain("error[ENVIRONMENT_FAILED]");
  });
});
