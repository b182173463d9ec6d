import { Command } from "commander";
import { withExamples } from "../cli/examples.ts";
import { readConfig, type Config } from "../config/config.ts";

/** What starts a server, and is for who sits at the machine: over SSH there is none of it. */
export function upCommand(): Command {
  const command = new Command("up")
    .description(
      "Run the whole embedded server in the foreground, under one folder. `npm start` does this.",
    )
    .option("--home <folder>", "where everything is kept (REEVE_HOME; var/ in the checkout)")
    .option("--port <number>", "nginx's port (REEVE_PORT; 8080)")
    .action(async (flags: { home?: string; port?: string }) => {
      const { up } = await import("./up.ts");
      await up(flags, (line) => console.log(line));
    });
  return withExamples(command, "reeve up", "reeve up --home /srv/reeve --port 8081");
}

/** What reeve and systemd start, and nobody types. */
export function ownProcesses(): Command[] {
  return [
    ownProcess("prepare", async (config) => {
      const { prepareForUnits } = await import("./prepare.ts");
      await prepareForUnits(config, (line) => console.log(line));
    }),
    ownProcess("agent", async (config) => {
      const { runAgent } = await import("../agent/agent.ts");
      await runAgent(config);
    }),
    ownProcess("front", async (config) => {
      const { runFront } = await import("../front/front.ts");
      await runFront(config);
    }),
  ];
}

/** `--home` stands in its arguments so that `ps` tells one server's processes from another's. */
function ownProcess(name: string, run: (config: Config) => Promise<void>): Command {
  return new Command(name)
    .requiredOption("--home <folder>")
    .action((flags: { home: string }) => run(readConfig(flags)));
}
