import { Command } from "commander";
import { withExamples } from "./examples.ts";

export function upCommand(): Command {
  const command = new Command("up")
    .description(
      "Run the whole embedded server in the foreground, under one folder, on loopback. `npm start` does this.",
    )
    .option("--home <folder>", "where everything is kept (REEVE_HOME; var/ in the checkout)")
    .option("--port <number>", "nginx's port (REEVE_PORT; 8080)")
    .action(async (flags: { home?: string; port?: string }) => {
      const { up } = await import("./up/up.ts");
      await up(flags, (line) => console.log(line));
    });
  return withExamples(command, "reeve up", "reeve up --home /srv/reeve --port 8081");
}
