import type { Command } from "commander";
import { commandNames } from "../protocol/command-names.ts";

export function loadCommands(): Promise<Command[]> {
  return Promise.all(commandNames.map(loadCommand));
}

async function loadCommand(name: string): Promise<Command> {
  const module: unknown = await import(`./commands/${name}.ts`);
  return (module as { makeCommand: () => Command }).makeCommand();
}
