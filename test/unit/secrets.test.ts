import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import type { Command } from "commander";
import { ESLint } from "eslint";
import { describe, expect, it } from "vitest";
import { makeProgram } from "../../src/program.ts";
import { appOptions } from "../../src/config/app-options.ts";
import { programRoot } from "../../src/config/config.ts";
import type { OptionTable } from "../../src/config/option-table.ts";
import { serverOptions } from "../../src/config/server-options.ts";
import { helpOf, visibleCommands } from "../support/documentation.ts";

/** Everybody on the machine can read arguments: what a line would put there of a secret. */
const named = /\w{0,40}(?:password|passwd|secret|token|api_?key|credential|database_url)\w{0,40}/
  .source;
const shown = [
  // git, curl, pip: an address with a password.
  /:\/\/[^\s/@"'`:]+:[^\s/@]+@/,
  // reeve, env: a value behind a name.
  new RegExp(`\\b(?:vars|options|env)\\b.*\\s['"]?${named}=[^\\s\`]`, "i"),
  new RegExp(`\\s--${named}[= ][^\\s\`<\\[]`, "i"),
  /\bcurl\b.*\s(?:-u|--user|--proxy-user)\b/,
  /\b(?:curl|wget|git)\b.*authorization: ?\S/i,
  /\bhtpasswd\b.*\s-\w*b|\bopenssl passwd\b.*\s[^-\s]\S*$|\bsshpass\s+-p/,
];

function showsSecret(line: string): boolean {
  return shown.some((pattern) => pattern.test(line));
}

describe("a secret in a line that somebody types", () => {
  it.each([
    "git remote add deploy http://admin:TOKEN@git.localhost:8080/demo.git",
    'git push "http://admin:$token@git.localhost:8080/demo.git" HEAD:main',
    "`http://${name}:${token}@git.${domain}/`",
    "pip install --index-url https://reader:hidden@pypi.example.org/simple",
    "curl -u ada:reeve_Vn2kYc3 http://git.localhost/",
    'curl -s -H "Authorization: Bearer $TOKEN" http://git.localhost/',
    "git -c http.extraHeader='Authorization: Basic eA==' push",
    "reeve vars demo set SECRET_KEY=hush",
    "reeve vars demo --preview set DEBUG=1 'DATABASE_URL=postgres://x'",
    "reeve options demo set web_processes=2 preview_password=open-sesame",
    "env GIT_TOKEN=hush git push deploy main",
    "reeve login --token reeve_Vn2kYc3",
    "htpasswd -bc passwords preview hush",
    "openssl passwd -6 hush",
    "sshpass -p hush ssh reeve@localhost",
  ])("is seen: %s", (line) => {
    expect(showsSecret(line)).toBe(true);
  });

  it.each([
    "git remote add deploy http://admin@git.localhost:8080/demo.git",
    "git config credential.http://admin@git.localhost:8080.helper '!f() { sed s/^/password=/ FILE; }; f'",
    "reeve vars demo set API_KEY < FILE",
    'reeve vars demo set GREETING="good morning" DEBUG=1',
    "reeve options demo set web_processes=4 health_path=/up",
    "ssh://reeve@localhost:8022/demo.git",
  ])("is not seen where there is none: %s", (line) => {
    expect(showsSecret(line)).toBe(false);
  });

  it("stands in no document, no program, no script and nothing that they print", () => {
    const paths = ["*.md", "src", "hooks", "scripts", "systemd", "templates", "examples"];
    const words = ["ls-files", "-z", "--", ...paths, ".ci", "test/debian", "package.json"];
    const files = execFileSync("git", words, { cwd: programRoot, encoding: "utf8" }).split("\0");

    const found = files.filter(Boolean).flatMap((file) =>
      readFileSync(join(programRoot, file), "utf8")
        .split("\n")
        .flatMap((line, index) => (showsSecret(line) ? [`${file}:${index + 1}: ${line}`] : [])),
    );

    expect(files.length).toBeGreaterThan(200);
    expect(found).toEqual([]);
  });
});

/** What a command takes as an argument and should not. */
function takesSecret(command: Command): string[] {
  const flags = command.options.filter(({ required, optional }) => required || optional);
  const names = [
    ...flags.map(({ long }) => long ?? ""),
    ...command.registeredArguments.map((argument) => argument.name()),
  ];
  return names.filter((name) => new RegExp(named, "i").test(name));
}

const program = await makeProgram();

describe("a secret for one of reeve's commands", () => {
  const commands = [...program.commands, ...program.commands.flatMap(({ commands: all }) => all)];

  it("is no flag's value and no argument", () => {
    expect(commands.flatMap(takesSecret)).toEqual([]);
  });

  it("is found where the next one would be", async () => {
    const [planted] = (await makeProgram()).commands;
    planted?.option("--json-token <text>").argument("[preview-password]");

    expect(planted && takesSecret(planted)).toEqual(["--json-token", "preview-password"]);
  });

  it("may be read from standard input by each command that takes NAME=VALUE", () => {
    const taking = visibleCommands(program).filter((command) => /NAME=VALUE/.test(helpOf(command)));

    expect(taking.map((command) => command.name())).toEqual(["options", "vars"]);
    for (const command of taking) expect(helpOf(command)).toMatch(/set \w+ < FILE$/m);
  });

  it.each([...Object.entries<OptionTable[string]>(appOptions), ...Object.entries(serverOptions)])(
    "is said to be one, if %s may hold one",
    (name, { sentence, secret }: OptionTable[string]) => {
      const mayBe = new RegExp(named, "i").test(name) || /password|credentials/i.test(sentence);

      expect(secret ?? false).toBe(mayBe);
    },
  );
});

describe("a secret in the arguments of what reeve starts", () => {
  /** The text as if it stood in a file of reeve's: what the project's own configuration says of it. */
  async function complaints(text: string): Promise<string[]> {
    const eslint = new ESLint({ cwd: programRoot });
    const results = await eslint.lintText(text, { filePath: "src/agent/vhost/passwords.ts" });
    const rule = "secrets/as-argument";
    return results.flatMap(({ messages }) =>
      messages.map(({ ruleId }) => ruleId ?? "").filter((id) => id === rule),
    );
  }

  it.each([
    'host.run({ file: "htpasswd", args: ["-b", path, "preview", password] });',
    'host.run({ file: "git", args: ["push", `http://admin:${token}@git/`] });',
    'host.run({ file: "git", args: [...before, ...wordsOf(account.token)] });',
    'const args = ["--index-url", sources.index];',
    'const args = ["-u", "admin:" + secrets.token];',
    'execa("curl", ["--proxy", proxy]);',
    'function login(ada: Person): Command { return of("login", [ada.password]); }',
    "const address = `https://${name}:${ada.token}@${host}/`;",
    'const address = "https://ada:" + token + "@git/";',
    'host.run({ file: "curl", args: ["-u", apiKey] });',
    'host.run({ file: "curl", args: ["-H", authorization] });',
    'host.run({ file: "env", args: [variables.DATABASE_URL, passwd] });',
    'host.run({ file: "curl", args: [account["token"]] });',
    'host.run({ file: "pip", args: ["--proxy", server.package_proxy] });',
    'host.run({ file: "pip", args: ["-i", server.package_index] });',
    'host.run({ file: "env", args: [`SECRET_KEY=${value}`, "program"] });',
    'const words = ["-c", `http.extraHeader=Authorization: Basic ${header}`];',
    "command.args.push(token);",
    'args.unshift("-p", password);',
    "process.title = `reeve for ${password}`;",
    "const url = new URL(address); url.password = given;",
  ])("is complained about: %s", async (line) => {
    expect(await complaints(line)).not.toEqual([]);
  });

  it("is not, on its way by standard input, a file or the environment", async () => {
    const lines = [
      'host.run({ file: "htpasswd", args: ["-i", path, "preview"], input: password });',
      'host.run({ file: "pip", args: ["install"], env: { PIP_INDEX_URL: sources.index } });',
      "await writeAtomically(path, `${token}\\n`, { mode: 0o600 });",
    ];

    expect(await complaints(lines.join("\n"))).toEqual([]);
  });
});
