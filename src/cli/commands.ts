import type { Command } from "commander";
import { commandNames } from "../protocol/command-names.ts";

export function loadCommands(): Promise<Command[]> {
  return Promise.all(
    commandNames.map(async (name) => {
      const module: unknown = await import(`./commands/${name}.ts`);
      return (module as { makeCommand: () => Command }).makeCommand();
    }),
  );
}
