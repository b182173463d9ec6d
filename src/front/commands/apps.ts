import { appOptions } from "../../config/app-options.ts";
import type { OptionTable } from "../../config/option-table.ts";
import { hasCode } from "../../errors.ts";
import type { Asked, Commands, CommandWorld } from "./command.ts";
import { inTurn } from "./turn.ts";

export function appCommands(world: CommandWorld): Commands<"create" | "setOptions" | "destroy"> {
  const { agent, apps, rights } = world;
  return {
    create: {
      run: ({ app }, { caller }) => apps.make(app, caller),
    },
    setOptions: {
      run: (request, { caller }) => {
        rights.expectOptions(caller, request.app, Object.keys(request.set));
        return agent.ask("setOptions", request);
      },
      record: ({ set }) => Object.entries(set).map(recordOption).join(" "),
    },
    destroy: {
      run: ({ app }, asked) => apps.during(app, () => destroy(world, app, asked)),
      record: () => undefined,
    },
  };
}

async function destroy(world: CommandWorld, app: string, asked: Asked): Promise<void> {
  const { agent, repositories, store } = world;
  const removing = inTurn(world, { app }, asked, (holder) => agent.ask("destroy", { app, holder }));
  await removing.catch(async (error: unknown) => {
    // One that was cut off after the agent's part left the repository alone.
    const isGone = hasCode(error, "APP_UNKNOWN");
    if (!isGone || !(await repositories.has(app))) throw error;
  });
  await repositories.remove(app);
  store.forgetApp(app);
}

/** Of a secret the name only. */
function recordOption([name, value]: [string, string]): string {
  const options: OptionTable = appOptions;
  // What is no option may be a secret whose name was misspelt.
  const option = Object.hasOwn(options, name) ? options[name] : undefined;
  return !option || option.secret ? name : `${name}=${value}`;
}
