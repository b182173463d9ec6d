import type { Verbs } from "../../protocol/channel.ts";
import { commands, type CommandName } from "../../protocol/commands.ts";
import { accountCommands } from "./accounts.ts";
import { appCommands } from "./apps.ts";
import { judged, type Commands, type CommandWorld } from "./command.ts";
import { deployCommands } from "./deploys.ts";
import { keyCommands } from "./keys.ts";
import { previewCommands } from "./previews.ts";
import { readingCommands } from "./readings.ts";
import { reconcileCommands } from "./reconcile.ts";
import { rightCommands } from "./rights.ts";
import { variablesCommands } from "./variables.ts";
import { tokenCommands } from "./tokens.ts";

/** Everything that a person can have done, by whatever transport it is asked. */
export function commandVerbs(world: CommandWorld): Verbs {
  const all: Commands = {
    ...readingCommands(world),
    ...appCommands(world),
    ...variablesCommands(world),
    ...deployCommands(world),
    ...previewCommands(world),
    ...reconcileCommands(world),
    ...accountCommands(world),
    ...tokenCommands(world),
    ...keyCommands(world),
    ...rightCommands(world),
  };
  const names = Object.keys(commands) as CommandName[];
  return Object.fromEntries(names.map((name) => [name, judged(world, name, all[name])]));
}
