import { readFileSync } from "node:fs";
import { join } from "node:path";
import { Command } from "commander";
import { loadCommands } from "./cli/commands.ts";
import { programRoot } from "./config/config.ts";
import { ownProcesses, upCommand } from "./server/commands.ts";

/** Everything a person can type; over SSH, what acts on a server that runs already. */
export async function makeProgram({ overSsh = false } = {}): Promise<Command> {
  const { version } = JSON.parse(readFileSync(join(programRoot, "package.json"), "utf8")) as {
    version: string;
  };
  const program = new Command("reeve")
    .description("git push deploy main, for Python web apps on a plain Debian server.")
    .version(version)
    .showHelpAfterError("(see --help)")
    .enablePositionalOptions()
    .exitOverride();
  const commands = await loadCommands();
  if (!overSsh) commands.push(upCommand());
  commands.sort((one, other) => (one.name() < other.name() ? -1 : 1));
  for (const command of commands) program.addCommand(withoutExit(command));
  if (!overSsh) for (const own of ownProcesses()) program.addCommand(own, { hidden: true });
  return program;
}

/** Its mistakes, and those of its parts, are for whoever called. */
function withoutExit(command: Command): Command {
  for (const part of command.commands) part.exitOverride();
  return command.exitOverride();
}
