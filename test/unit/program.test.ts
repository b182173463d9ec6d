import { CommanderError, type Command } from "commander";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it, onTestFinished, vi } from "vitest";
import { makeProgram } from "../../src/program.ts";
import { programRoot } from "../../src/config/config.ts";
import { formerCommandNames, isCommandName } from "../../src/protocol/command-names.ts";
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
      "account",
      "apps",
      "audit",
      "cancel",
      "create",
      "deploy-log",
      "deploys",
      "destroy",
      "disk",
      "grant",
      "key",
      "logs",
      "options",
      "preview",
      "previews",
      "rebuild",
      "reconcile",
      "redeploy",
      "releases",
      "revoke",
      "rollback",
      "show",
      "token",
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
    const all = (await makeProgram({ overSsh: true })).commands.map((command) => command.name());
    const names = all.filter((name) => !Object.hasOwn(formerCommandNames, name));

    expect(names).toEqual(
      visibleCommands(program)
        .map((command) => command.name())
        .filter((name) => name !== "up"),
    );
  });

  it.each(Object.entries(formerCommandNames))(
    "answers to %s, as %s was called once, and lists it nowhere",
    async (former, name) => {
      for (const overSsh of [false, true]) {
        const all = await makeProgram({ overSsh });
        const [old, current] = [former, name].map((one) =>
          all.commands.find((command) => command.name() === one),
        );

        expect(old?.description()).toBe(current?.description());
        expect(old?.options.map(({ flags }) => flags)).toEqual(
          current?.options.map(({ flags }) => flags),
        );
        expect(helpOf(all)).not.toMatch(new RegExp(`^ {2}${former}\\b`, "m"));
      }
      expect(isCommandName(former)).toBe(true);
      expect((await type(former, "--help")).printed).toContain(`Usage: reeve ${former} `);
    },
  );

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
    ["a part of a command that is not there", ["token", "nosuch"], /unknown command 'nosuch'/],
    [
      "an account that is not said anew",
      ["account", "change", "ada"],
      /required option '--may-create'/,
    ],
    ["a number below zero", ["deploy-log", "demo", "1.5"], /It is not a whole number\./],
  ])("refuses %s, with what was wrong", async (_, words, message) => {
    const { error, printed } = await type(...words);

    expect(exitCodeOf(error)).toBe(1);
    expect(printed).toMatch(message);
  });

  it.each([
    ["create", ["create", "git"], "APP_NAME_INVALID"],
    ["create", ["create", "../x"], "APP_NAME_INVALID"],
    ["account", ["account", "add", "Ada"], "ACCOUNT_NAME_INVALID"],
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
    [["deploy-log", "demo", "1"]],
    [["destroy", "demo", "--yes"]],
    [["account", "add", "ada"]],
    [["account", "change", "ada", "--no-may-create"]],
    [["account", "remove", "ada"]],
    [["account", "list"]],
    [["token", "create", "ada", "--days", "30", "--note", "laptop"]],
    [["token", "revoke", "1"]],
    [["token", "list", "ada"]],
    [["key", "add", "ada", "ssh-ed25519", "AAAA"]],
    [["key", "remove", "SHA256:x"]],
    [["key", "list"]],
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
