import { readFileSync } from "node:fs";
import { join } from "node:path";
import { Command } from "commander";
import { programRoot, readConfig, type Config } from "../config/config.ts";
import { sshCommands } from "../front/ssh.ts";
import { accountCommand } from "./account.ts";
import { appsCommand } from "./apps.ts";
import { auditCommand } from "./audit.ts";
import { cancelCommand } from "./cancel.ts";
import { createCommand } from "./create.ts";
import { deployLogCommand } from "./deploy-log.ts";
import { deploysCommand } from "./deploys.ts";
import { destroyCommand } from "./destroy.ts";
import { grantCommand } from "./grant.ts";
import { keyCommand } from "./key.ts";
import { logsCommand } from "./logs.ts";
import { optionsCommand } from "./options.ts";
import { previewCommand } from "./preview.ts";
import { previewsCommand } from "./previews.ts";
import { rebuildCommand } from "./rebuild.ts";
import { reconcileCommand } from "./reconcile.ts";
import { redeployCommand } from "./redeploy.ts";
import { releasesCommand } from "./releases.ts";
import { revokeCommand } from "./revoke.ts";
import { rollbackCommand } from "./rollback.ts";
import { settingsCommand } from "./settings.ts";
import { showCommand } from "./show.ts";
import { tokenCommand } from "./token.ts";
import { upCommand } from "./up-command.ts";

/** Everything a person can type; over SSH, what acts on a server that runs already. */
export function makeProgram({ overSsh = false } = {}): Command {
  const { version } = JSON.parse(readFileSync(join(programRoot, "package.json"), "utf8")) as {
    version: string;
  };
  const program = new Command("reeve")
    .description("git push deploy main, for Python web apps on a plain Debian server.")
    .version(version)
    .showHelpAfterError("(see --help)")
    .exitOverride();
  const commands = [
    appsCommand(),
    showCommand(),
    createCommand(),
    settingsCommand(),
    optionsCommand(),
    previewsCommand(),
    previewCommand(),
    releasesCommand(),
    rollbackCommand(),
    redeployCommand(),
    rebuildCommand(),
    cancelCommand(),
    logsCommand(),
    deploysCommand(),
    deployLogCommand(),
    destroyCommand(),
    reconcileCommand(),
    accountCommand(),
    tokenCommand(),
    keyCommand(),
    grantCommand(),
    revokeCommand(),
    auditCommand(),
    upCommand(),
  ];
  for (const command of commands) {
    if (overSsh && !sshCommands.includes(command.name())) continue;
    program.addCommand(command.exitOverride());
    for (const part of command.commands) part.exitOverride();
  }
  if (overSsh) return program;
  for (const process of [prepareProcess(), agentProcess(), frontProcess()])
    program.addCommand(process, { hidden: true });
  return program;
}

function prepareProcess(): Command {
  return ownProcess("prepare", async (config) => {
    const { prepareForUnits } = await import("./up/prepare.ts");
    await prepareForUnits(config, (line) => console.log(line));
  });
}

function agentProcess(): Command {
  return ownProcess("agent", async (config) => {
    const { runAgent } = await import("../agent/agent.ts");
    await runAgent(config);
  });
}

function frontProcess(): Command {
  return ownProcess("front", async (config) => {
    const { runFront } = await import("../front/front.ts");
    await runFront(config);
  });
}

/** `--home` stands in its arguments so that `ps` tells one server's processes from another's. */
function ownProcess(name: string, run: (config: Config) => Promise<void>): Command {
  return new Command(name)
    .requiredOption("--home <folder>")
    .action((flags: { home: string }) => run(readConfig(flags)));
}
