import type { Command } from "commander";
import { z } from "zod";
import { makeProgram } from "../../src/program.ts";
import { appOptions } from "../../src/config/app-options.ts";
import { variableName } from "../../src/config/config.ts";
import { offered, type Option, type OptionTable } from "../../src/config/option-table.ts";
import { serverOptions } from "../../src/config/server-options.ts";
import { errorCodes, UserError } from "../../src/errors.ts";

/** docs/configuration.md, from the tables that the options are checked by. */
export function configurationPage(): string {
  return `# Configuration

Every option, with its default. This page is made from the program (\`npx vitest run --project unit -u\`); do not edit it.

## The server

In \`etc/server.toml\` below reeve's folder, which is \`var/\` in the checkout, or what \`--home\` or \`REEVE_HOME\` says. Read at the start. reeve's own variable wins over the file, and \`--port\` over both.

${tableOf(serverOptions, variableName)}

Where neither the file nor a variable of reeve's own says anything, the machine's usual variables count: \`PIP_INDEX_URL\` for \`package_index\`, \`PIP_EXTRA_INDEX_URL\` for \`package_extra_index\`, \`https_proxy\` or \`HTTPS_PROXY\` for \`package_proxy\`, \`PIP_CERT\` or \`SSL_CERT_FILE\` for \`package_ca_file\`.

## An app

In \`etc/apps/APP.toml\` below reeve's folder: edit it, or type \`reeve options APP set NAME=VALUE\`, and for a secret \`reeve options APP set NAME < FILE\`. In effect with the next deploy.

${tableOf(appOptions)}
`;
}

function tableOf(options: OptionTable, variableOf?: (name: string) => string): string {
  const headings = [
    "option",
    "takes",
    "default",
    ...(variableOf ? ["variable"] : []),
    "what it does",
  ];
  const rows = Object.entries(offered(options)).map(([name, option]) => [
    `\`${name}\``,
    takenBy(option),
    `\`${JSON.stringify(option.default)}\``,
    ...(variableOf ? [`\`${variableOf(name)}\``] : []),
    option.sentence.replaceAll(/[<|]/g, "\\$&"),
  ]);
  return [headings, headings.map(() => "---"), ...rows]
    .map((cells) => `| ${cells.join(" | ")} |`)
    .join("\n");
}

function takenBy(option: Option): string {
  if (option.secret) return "text, a secret";
  const { type, minimum, maximum } = z.toJSONSchema(option.schema);
  if (type === "boolean") return "`true` or `false`";
  if (type !== "integer") return "text";
  return `a number from ${minimum ?? 0} to ${maximum ?? "any"}`;
}

/** docs/cli.md: what each command prints when it is asked for help. */
export async function cliPage(): Promise<string> {
  const program = await makeProgram();
  const commands = visibleCommands(program);
  const sections = [
    program,
    ...commands.flatMap((command) => [command, ...visibleCommands(command)]),
  ].map((command) => `## ${titleOf(command)}\n\n\`\`\`text\n${helpOf(command)}\n\`\`\`\n`);
  return `# Commands

What \`--help\` says of each command. This page is made from the program (\`npx vitest run --project unit -u\`); do not edit it.

${sections.join("\n")}
## Exit codes

0 when it went well. Else the code says what kind of error it was; each error is described in [errors.md](errors.md).

${exitCodes()}
`;
}

/** The commands that a person types. */
export function visibleCommands(program: Command): Command[] {
  return program
    .createHelp()
    .visibleCommands(program)
    .filter((command) => command.name() !== "help");
}

/** To the letter, examples included, at a width that does not depend on a terminal. */
export function helpOf(command: Command): string {
  let help = "";
  command.configureOutput({
    writeOut: (text) => (help += text),
    getOutHelpWidth: () => 100,
    getOutHasColors: () => false,
  });
  command.outputHelp();
  return help.trimEnd();
}

function titleOf(command: Command): string {
  return command.parent ? `${titleOf(command.parent)} ${command.name()}` : command.name();
}

function exitCodes(): string {
  const codes = new Map<number, string[]>();
  for (const code of errorCodes) {
    const { exitCode } = new UserError(code, "");
    codes.set(exitCode, [...(codes.get(exitCode) ?? []), `\`${code}\``]);
  }
  return [...codes]
    .sort(([one], [other]) => one - other)
    .map(([exitCode, names]) => `- ${exitCode}: ${names.join(", ")}`)
    .join("\n");
}
