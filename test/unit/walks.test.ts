import { readdirSync, readFileSync } from "node:fs";
import { join, relative } from "node:path";
import { ESLint, Linter } from "eslint";
import { describe, expect, it } from "vitest";
import { projectRoot } from "../support/server.ts";

interface Ban {
  selector: string;
  message: string;
}

const { walksByNames } = (await import(join(projectRoot, "eslint.walks.js"))) as {
  walksByNames: Ban[];
};

function complaintsAbout(code: string): number {
  return new Linter().verify(code, {
    rules: { "no-restricted-syntax": ["error", ...walksByNames] },
  }).length;
}

/** All files below a folder of the project. */
function filesIn(folder: string): string[] {
  const names = readdirSync(join(projectRoot, folder), { recursive: true, withFileTypes: true });
  return names.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name));
}

describe("a walk by names", () => {
  it.each([
    'run({ file: "chmod", args: ["-R", "go-w", path] })',
    'run({ file: "chmod", args: ["-Rf", "go-w", path] })',
    'run({ file: "chmod", args: ["--recursive", "go-w", path] })',
    'run({ file: "/usr/bin/chown", args: [...words, path] })',
    'const words = ["chown", "-R"]; run({ file: words[0], args: [...words.slice(1), path] })',
    "run({ file: `chgrp`, args: [`-hR`] })",
    'run({ file: "cp", args: ["-a", from, to] })',
    'run({ file: "cp", args: ["-r", from, to] })',
    'run({ file: "rm", args: ["-rf", path] })',
    'run({ file: "setpriv", args: ["--reuid=0", "--", "rm", "-r", path] })',
    'run({ file: "find", args: [path, "-exec", "touch", "{}", "+"] })',
    'run({ file: "find", args: [path, "-execdir", "touch", "{}", ";"] })',
    'run({ file: "find", args: [path, "-delete"] })',
    'run({ file: "find", args: `${path} -type d -exec touch {} +`.split(" ") })',
    'run({ file: "sh", args: ["-c", script] })',
    'run({ file: "/bin/bash", args: ["-ec", script] })',
    "run({ file: `sh`, args: [`-c`, `cd ${path} && rm -rf *`] })",
    'run({ file: "env", args: ["-i", "dash", "-c", script] })',
    'run({ file: "busybox", args: ["rm", "-r", path] })',
    "exec(`rm -rf ${path}`)",
    "exec(`cd ${path}; chmod -R 755 .`)",
    "exec('chown root ' + path)",
    'run({ file: "xargs", args: ["-0", "touch"] })',
    'run({ file: "rsync", args: ["-a", from, to] })',
    'run({ file: "tar", args: ["-xf", file] })',
    'run({ file: "python3", args: ["-c", "import shutil; shutil.rmtree(path)"] })',
    "await rm(path, { recursive: true })",
    "await rm(path, { force: true, recursive: isFolder })",
    "await fs.rm(path, { ['recursive']: true })",
    "await fs.rm(path, { 'recursive': true })",
    "const options = { recursive: true, force: true }; await rm(path, options)",
    "await removeIt(path, { ...others, recursive: true })",
    "options.recursive = true",
    "rmSync(path, { recursive: true })",
    "await fs.cp(from, to)",
    "fs.cpSync(from, to, options)",
    "import { cp } from 'node:fs/promises'",
    "import { cp as copy } from 'node:fs/promises'",
    "spawn(command, { shell: true })",
    'spawnSync("rm", words)',
    'execFileSync("ionice", [...words, path])',
    'run({ file: "install", args: words })',
    'run({ file: "ksh", args: ["-c", script] })',
    'run({ file: "ch" + "mod", args: [mode, path] })',
    'run({ file: tools.join("/"), args: [path] })',
    "run({ file: `${folder}/tool`, args: [path] })",
    'exec("rm " + path)',
    "exec(`rm ${path}`)",
    'run({ file: "nice", args: ["unzip", file] })',
    'run({ file: "perl", args: ["-MFile::Path", "-e", "remove_tree(shift)", path] })',
    'run({ file: python, args: ["-c", "import os\nfor f in os.walk(p): os.chmod(f, 0)"] })',
    "const program = `for path in pathlib.Path(top).rglob('*'): path.chmod(0)`",
    "import fs from 'node:fs/promises'",
    "import * as files from 'fs'",
    "import { promises } from 'node:fs'",
    "import { default as fs } from 'fs/promises'",
    "export * from 'node:fs'",
    "import { rm } from 'node:fs/promises'",
    "import { rmSync as drop } from 'fs'",
    "import { opendir } from 'node:fs/promises'",
    "const { cp: copy } = await import('node:fs/promises')",
    "const fs = await import(name)",
    "const fs = await import(`${name}`)",
    "const fs = await import(`node:fs${part}`)",
    "const fs = require('fs')",
    "import { createRequire } from 'node:module'",
    "process.binding('fs').rmdir(path)",
    "process['getBuiltinModule']('fs')",
  ])("is found: %s", (code) => {
    expect(complaintsAbout(code)).toBeGreaterThan(0);
  });

  it.each([
    "await mkdir(path, { recursive: true, mode: 0o755 }); await fs.mkdir(path, { recursive: true })",
    "const names = await readdir(path, { recursive: true })",
    "await rm(path, { force: true })",
    "await chmod(path, 0o640); await folder.chown(0, 0)",
    'run({ file: "find", args: [path, "-name", "*.lock", "-print0"] })',
    'const login = { home: "/", shell: "/bin/sh" }',
    'const hint = "Remove one and push again, or cancel the form."',
    "throw new UserError(code, what, { hint: `Type: git rm --cached ${path} && rm -rf ${path}/.git` })",
    'run({ file: uv, args: ["pip", "install"] })',
    'run({ file: "git", args: ["rev-list"] }); run({ file: build.python, args: ["-m", "venv"] })',
    'const { up } = await import("./up.ts")',
    "const command = await import(`./commands/${name}.ts`)",
    'const entry = { path, file: "requirements.txt" }',
  ])("is told from what is none: %s", (code) => {
    expect(complaintsAbout(code)).toBe(0);
  });

  it("is looked for in every source, and none is let off", async () => {
    const eslint = new ESLint({ cwd: projectRoot });
    const sources = filesIn("src").filter((path) => path.endsWith(".ts"));

    for (const path of sources) {
      const { rules } = (await eslint.calculateConfigForFile(path)) as {
        rules: Record<string, unknown[]>;
      };
      const [, ...bans] = rules["no-restricted-syntax"] ?? [];
      expect(bans, path).toEqual(expect.arrayContaining(walksByNames));
      const excuses = readFileSync(path, "utf8").match(/eslint-disable.*/g) ?? [];
      for (const excuse of excuses)
        expect(excuse, path).toMatch(/^eslint-disable\S* (?!no-restricted-syntax)[@\w/-]+ --/);
    }
  });

  it.each([
    'chmod -R go-w "$1"',
    "chmod --recursive go-w .",
    "chown -v -hR root: .",
    'rm -f -r "$folder"',
    "cp --archive a b",
    "find . -type d -exec touch {} +",
    "find . -delete",
    "tar -xf -",
    "rsync -a a/ b/",
    "find . -print0 | xargs -0 touch",
    "ExecStartPre=/bin/chown -R reeve: /var/lib/reeve",
    "import shutil",
    "for here, _, names in os.walk(top):",
    "os.chmod(path, 0o700)",
    "for path in Path(top).rglob('*'):",
    "use File::Find;",
    "chmod 0700, $path;",
    "chown(0, 0, @paths);",
  ])("is found in what is no TypeScript: %s", (line) => {
    expect(walks.test(line)).toBe(true);
  });

  it("is in nothing that is no TypeScript either, but for the walker itself and what is not root's to run", () => {
    // The compiler runs as git's user, in a box.
    const exempt = [
      ...["copy", "descriptors", "give"].map((name) => `src/system/walker/${name}.py`),
      "src/agent/release/bytecode.py",
    ];
    const others = ["src", "hooks", "templates", "systemd", "scripts", ".ci"]
      .flatMap(filesIn)
      .filter((path) => !/\.m?[tj]s$/.test(path))
      .filter((path) => !exempt.some((name) => path.endsWith(name)));

    expect(others.filter((path) => walks.test(readFileSync(path, "utf8")))).toEqual([]);
    expect(others.length).toBeGreaterThan(20);
  });
});

/** In sh, Perl, Python and units: what goes down a tree, and what changes whose a name is. */
const walks = new RegExp(
  [
    /\b(?:chmod|chown|chgrp|cp|rm|mv|install)\b[^\n;|&#]*\s-(?:[b-qs-zA-QS-Z]*[aRr]\w*|-recursive|-archive)\b/,
    /\s-(?:exec|execdir|ok|okdir|delete)\b/,
    /^[^#\n]*\b(?:rsync|xargs|cpio|unzip|tar) +[-"$\w]/,
    /\bshutil\b|rmtree|copytree|remove_tree|\brglob\b|os\.(?:l?chown|l?chmod|f?walk|removedirs)\b/,
    /File::(?:Path|Find)|\b(?:chmod|chown)[ (]+(?:0[0-7]*|\$\w+),/,
  ]
    .map(({ source }) => source)
    .join("|"),
  "m",
);

describe("a call that changes something by its name", () => {
  const changing = new Set(
    "appendFile chmod chown copyFile lchmod lchown link lutimes mkdir mkdtemp open rename rmdir symlink truncate unlink utimes writeFile".split(
      " ",
    ),
  );

  function changesIn(path: string): string[] {
    const [, ...lists] = readFileSync(path, "utf8").split(/^import (?=\{[^}]*\} from "node:fs)/m);
    const names = lists.flatMap((list) => list.slice(1, list.indexOf("}")).split(","));
    return names
      .map((name) => name.trim().split(" ", 1).join("").replace(/Sync$/, ""))
      .filter((name) => changing.has(name));
  }

  /**
   * Every one of them, with whose the folder is that holds the name. Where that is somebody else's, root does not
   * belong there: it is the walker's to do, or that user's own.
   */
  const known: Record<string, [calls: string, folder: string]> = {
    "server/checks.ts": ["mkdir", "reeve's own folder, before anybody else is there"],
    "server/furnish.ts": ["chmod chown mkdir", "root's: only these folders themselves are others'"],
    "server/up.ts": ["writeFile", "root's: reeve's own folder"],
    "agent/deploy/deploy-log.ts": ["appendFile mkdir", "root's: the deploys' logs"],
    "agent/instance/folders.ts": ["chmod chown mkdir", "root's: /srv/APP and etc/apps/APP"],
    "agent/reconcile/chown.ts": ["chmod", "root's: /srv/APP"],
    "agent/reconcile/former-settings.ts": ["rename", "root's: etc/apps/APP"],
    "agent/reconcile/former-links.ts": ["chmod mkdir rmdir", "root's: lib/links and lib/sockets"],
    "agent/world/links.ts": ["chmod mkdir rmdir", "root's: lib/links"],
    "agent/environment/begin.ts": [
      "mkdir rename rmdir",
      "root's: envs/ and its .cache/, a builder's folder in it while it is closed",
    ],
    "agent/environment/build.ts": ["mkdir writeFile", "root's: the same"],
    "agent/environment/environment.ts": ["writeFile", "root's: envs/"],
    "agent/environment/tree-contents.ts": [
      "chmod mkdir mkdtemp writeFile",
      "root's: a folder of its own in /tmp, in which nobody else may write",
    ],
    "agent/environment/workshop.ts": ["chmod mkdir", "root's: the same"],
    "front/repositories/node-git-server.ts": ["open", "nobody's: it runs as the front"],
    "front/repositories/repositories.ts": ["mkdir rename", "nobody's: it runs as the front"],
    "protocol/channel.ts": ["chmod", "of who listens"],
    "system/control-groups.ts": ["mkdir rmdir writeFile", "the kernel's, and root's there"],
    "system/files.ts": [
      "open rename symlink unlink",
      "the caller's; one that is another's is opened by openForeign",
    ],
    "system/supervisor.ts": ["open", "root's: log/"],
    "front/push/brought.ts": ["open", "nobody's: it runs as the front"],
    "front/push/readable.ts": ["writeFile", "nobody's: it runs as the front"],
    "agent/release/release.ts": [
      "chmod lchown lutimes mkdir rename",
      "root's: releases/ and .staging/; of git's user the index, whose time alone is set, following no link",
    ],
    "agent/release/submodules.ts": ["mkdir rename", "root's: submodules/"],
    "agent/variables/variables.ts": [
      "chmod chown mkdir rename rmdir unlink writeFile",
      "root's: etc/apps/APP, and the folder of variables itself",
    ],
    "agent/vhost/file-changes.ts": ["mkdir rmdir", "root's: nginx's folders"],
    "agent/vhost/passwords.ts": ["chown", "root's: etc/apps/APP"],
  };

  it("is known, and nobody else can swap the name", () => {
    const root = join(projectRoot, "src");
    const found = filesIn("src")
      .filter((path) => path.endsWith(".ts"))
      .map((path) => [relative(root, path), changesIn(path).sort().join(" ")] as const)
      .filter(([, calls]) => calls !== "");

    const calls = Object.entries(known).map(([path, [names]]) => [path, names] as const);
    expect(Object.fromEntries(found)).toEqual(Object.fromEntries(calls));
  });
});
