import { CommanderError, type Command } from "commander";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it, onTestFinished, vi } from "vitest";
import { makeProgram } from "../../src/program.ts";
import { programRoot } from "../../src/config/config.ts";
import { isCommandName } from "../../src/protocol/command-names.ts";
import { formerForms } from "../../src/protocol/former-commands.ts";
import { helpOf, visibleCommands } from "../support/documentation.ts";
import { temporaryFolder } from "../support/unit-folder.ts";

/** Types a command line, in a folder for which no server runs. What commander prints is kept. */
async function type(...words: string[]): Promise<{ error: unknown; printed: string }> {
  vi.stubEnv("REEVE_HOME", temporaryFolder());
  onTestFinished(() => void vi.unstubAllEnvs());
  let printed = "";
  const write = (text: string): void => void (printed += text);
  const program = await makeProgram();
  for (const command of [program, ...program.commands.flatMap((one) => [one, ...one.commands])])
    command.configureOutput({ writeOut: write, writeErr: write });
  const error: unknown = await program
    .parseAsync(["node", "reeve", ...words])
    .then(() => undefined)
    .catch((caught: unknown) => caught);
  return { error, printed };
}

function exitCodeOf(error: unknown): number {
  expect(error).toBeInstanceOf(CommanderError);
  return (error as CommanderError).exitCode;
}

const program = await makeProgram();

describe("the command line", () => {
  it("offers these commands, and none of those that reeve starts for itself", () => {
    const names = visibleCommands(program).map((command) => command.name());

    expect(names).toEqual([
      "accounts",
      "apps",
      "audit",
      "cancel",
      "create",
      "deploys",
      "destroy",
      "disk",
      "grant",
      "keys",
      "logs",
      "options",
      "previews",
      "rebuild",
      "reconcile",
      "redeploy",
      "releases",
      "revoke",
      "rollback",
      "show",
      "tokens",
      "up",
      "vars",
    ]);
    expect(helpOf(program)).not.toMatch(/^ {2}(agent|front)/m);
  });

  it.each(visibleCommands(program).map((command): [string, Command] => [command.name(), command]))(
    "says of %s in a sentence what it does, how it is typed, and gives two examples",
    (name, command) => {
      const help = helpOf(command);

      expect(command.description()).toMatch(/^[A-Z].*\.$/);
      expect(help).toMatch(/^Usage: reeve /);
      const [, examples = ""] = help.split("\nExamples:\n");
      const lines = examples.split("\n");
      expect(lines.length).toBeGreaterThanOrEqual(2);
      expect(lines.filter((line) => !line.includes(`reeve ${name}`))).toEqual([]);
    },
  );

  it("offers over SSH what acts on a server that runs, and not what starts one", async () => {
    const names = (await makeProgram({ overSsh: true })).commands.map((command) => command.name());

    expect(names).toEqual(
      visibleCommands(program)
        .map((command) => command.name())
        .filter((name) => name !== "up"),
    );
  });

  it.each(formerForms)("lists nowhere that %j was once typed for %j", async (former) => {
    const [name = ""] = former.split(" ");
    for (const overSsh of [false, true]) {
      const all = await makeProgram({ overSsh });

      expect(all.commands.map((command) => command.name())).not.toContain(name);
      expect(helpOf(all)).not.toMatch(new RegExp(`^ {2}${name}\\b`, "m"));
    }
    expect(isCommandName(name)).toBe(true);
  });

  it("knows its version", async () => {
    const { version } = JSON.parse(readFileSync(join(programRoot, "package.json"), "utf8")) as {
      version: string;
    };

    const { error, printed } = await type("--version");

    expect(exitCodeOf(error)).toBe(0);
    expect(printed).toBe(`${version}\n`);
  });

  it("gives help for nothing typed, for --help, and for a command's", async () => {
    expect((await type()).printed).toContain("Usage: reeve [options] [command]");
    expect(exitCodeOf((await type("--help")).error)).toBe(0);
    expect((await type("logs", "--help")).printed).toContain("Usage: reeve logs [options] <app>");
  });

  it.each([
    ["a command that is not there", ["nosuch"], /unknown command 'nosuch'/],
    ["a command that is almost there", ["rolback", "demo"], /Did you mean rollback\?/],
    ["an app that is not named", ["show"], /missing required argument 'app'/],
    ["one word too many", ["apps", "demo"], /too many arguments/],
    ["an option that is not there", ["apps", "--nosuch"], /unknown option '--nosuch'/],
    ["a number that is none", ["logs", "demo", "-n", "many"], /It is not a whole number\./],
    ["a right that is none", ["grant", "ada", "demo", "root"], /Allowed choices are read, preview/],
    ["a verb of a noun that is not there", ["tokens", "nosuch"], /too many arguments for 'tokens'/],
    ["a verb's flag behind its noun", ["tokens", "--days", "3"], /unknown option '--days'/],
    ["a noun's flag behind its verb", ["keys", "remove", "x", "--json"], /unknown option '--json'/],
    [
      "a preview that is not named",
      ["previews", "demo", "pin"],
      /missing required argument 'branch'/,
    ],
    [
      "what nobody does to a preview",
      ["previews", "demo", "wake", "x"],
      /Allowed choices are pin, /,
    ],
    ["one deploy's log to follow", ["logs", "demo", "-f", "--deploy", "3"], /cannot be used with/],
    [
      "an account that is not said anew",
      ["accounts", "change", "ada"],
      /required option '--may-create'/,
    ],
    ["a number below zero", ["logs", "demo", "--deploy", "1.5"], /It is not a whole number\./],
  ])("refuses %s, with what was wrong", async (_, words, message) => {
    const { error, printed } = await type(...words);

    expect(exitCodeOf(error)).toBe(1);
    expect(printed).toMatch(message);
  });

  it.each([
    ["create", ["create", "git"], "APP_NAME_INVALID"],
    ["create", ["create", "../x"], "APP_NAME_INVALID"],
    ["accounts", ["accounts", "add", "Ada"], "ACCOUNT_NAME_INVALID"],
    ["grant", ["grant", "--", "-ada", "demo", "read"], "ACCOUNT_NAME_INVALID"],
    ["vars", ["vars", "demo", "set"], "VARIABLE_INVALID"],
    ["vars", ["vars", "demo", "set", "DEBUG", "1"], "VARIABLE_INVALID"],
    ["vars", ["vars", "demo", "put", "A=1"], "VARIABLE_INVALID"],
    ["options", ["options", "demo", "set"], "OPTION_INVALID"],
    ["options", ["options", "demo", "web_processes=4"], "OPTION_INVALID"],
    ["options", ["options", "demo", "set", "web_processes", "4"], "OPTION_INVALID"],
  ])("refuses a wrong %s before it asks any server: %j", async (_, words, code) => {
    expect((await type(...words)).error).toMatchObject({ code });
  });

  it.each([
    [["apps"]],
    [["apps", "--json"]],
    [["show", "demo"]],
    [["create", "demo"]],
    [["vars", "demo"]],
    [["vars", "demo", "set", "A=b=c"]],
    [["options", "demo", "set", "web_processes=4"]],
    [["releases", "demo"]],
    [["rollback", "demo"]],
    [["redeploy", "demo"]],
    [["rebuild", "demo"]],
    [["cancel", "demo"]],
    [["reconcile"]],
    [["logs", "demo", "-n", "5"]],
    [["deploys", "demo"]],
    [["logs", "demo", "--deploy", "1"]],
    [["previews", "demo"]],
    [["previews", "demo", "pin", "feature/cart"]],
    [["previews", "demo", "remove", "feature/cart"]],
    [["destroy", "demo", "--yes"]],
    [["accounts", "add", "ada"]],
    [["accounts", "change", "ada", "--no-may-create"]],
    [["accounts", "remove", "ada"]],
    [["accounts"]],
    [["tokens", "create", "ada", "--days", "30", "--note", "laptop"]],
    [["tokens", "revoke", "1"]],
    [["tokens", "--account", "ada"]],
    [["keys", "add", "ada", "ssh-ed25519", "AAAA"]],
    [["keys", "remove", "SHA256:x"]],
    [["keys"]],
    [["grant", "ada", "demo", "deploy"]],
    [["revoke", "ada", "demo"]],
    [["audit"]],
  ])("says which server does not run where none does: %j", async (words) => {
    const { error } = await type(...words);

    expect(error).toMatchObject({
      code: "SERVER_DOWN",
      exitCode: 3,
      message: `no reeve runs for ${process.env["REEVE_HOME"] ?? "?"}, or you may not speak to it`,
    });
  });
});
