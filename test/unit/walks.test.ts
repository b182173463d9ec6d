import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
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

  it("is in nothing that is no TypeScript either, but for the walker itself", () => {
    const others = ["src", "hooks", "templates", "systemd"]
      .flatMap(filesIn)
      .filter((path) => !path.endsWith(".ts") && !path.endsWith("src/host/walker.py"));
    const walks =
      /rmtree|copytree|os\.l?chown|os\.chmod|File::(?:Path|Find)|\b(?:chmod|chown|chgrp|cp|rm)\s+-\S*[aRr]|\s-(?:exec|execdir|delete)\s/;

    expect(others.filter((path) => walks.test(readFileSync(path, "utf8")))).toEqual([]);
    expect(others.length).toBeGreaterThan(10);
  });
});
