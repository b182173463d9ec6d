import type { Command } from "commander";
import { commandNames, formerCommandNames } from "../protocol/command-names.ts";

export function loadCommands(): Promise<Command[]> {
  return Promise.all(commandNames.map(loadCommand));
}

/** The same commands once more, under the names that they had before. */
export function loadFormerCommands(): Promise<Command[]> {
  const names = Object.entries(formerCommandNames);
  return Promise.all(names.map(async ([former, name]) => (await loadCommand(name)).name(former)));
}

async function loadCommand(name: string): Promise<Command> {
  const module: unknown = await import(`./commands/${name}.ts`);
  return (module as { makeCommand: () => Command }).makeCommand();
}
