import { join } from "node:path";
import { placeUrl } from "../names/instance.ts";
import { visitedAt } from "../config/visited.ts";
import { programRoot, type Config } from "../config/config.ts";
import { tokenFile } from "../front/accounts/token.ts";
import type { SshAccess } from "./ssh.ts";

/** What is said once the server runs: lines to paste, none of which holds a secret. */
export function welcome(config: Config, ssh: SshAccess | undefined): string[] {
  const { domain } = config.server;
  return [
    "",
    `reeve is ready. Apps answer at ${urlOf(config, `<app>.${domain}`)}`,
    "",
    "Put one on the air, from its repository:",
    "",
    ...remoteLines(config).map((line) => `  ${line}`),
    "  git push deploy main",
    "",
    ...(isReadOnTheWay(config)
      ? [
          "From other machines git is refused over plain HTTP, which anybody on the way can read:",
          "use SSH, or have TLS done in front (docs/vhosts.md).",
          "",
        ]
      : []),
    ...(ssh
      ? [
          `Or over SSH, at ssh://${ssh.user}@${domain}:${ssh.port}/demo.git, once your key is known:`,
          "",
          `  ${commandLine(config)} keys add admin < ~/.ssh/id_ed25519.pub`,
          "",
        ]
      : []),
    `What is on the air: ${commandLine(config)} apps`,
    "Ctrl-C stops reeve and all apps; `npm start` brings them back.",
  ];
}

/** Whether others come to nginx itself, without TLS, and are to be told so before they try. */
function isReadOnTheWay({ server }: Config): boolean {
  const isPlain = visitedAt(server).scheme === "http" && !server.plain_http;
  return isPlain && (server.listen !== "loopback" || server.public_url !== "");
}

/**
 * Below the domain itself, whose name every client finds: those below localhost only some do.
 *
 * Everybody on the machine can read git's arguments, the remote's address among them. So git asks a helper, for this
 * address and user alone, and the helper reads the token's file: sed prints nothing to whoever may not, and git asks
 * somebody else then. The name of the file needs no quotes (expectUsableHome).
 */
function remoteLines(config: Config): string[] {
  const address = urlOf(config, `admin@${config.server.domain}`).replace(/\/$/, "");
  return [
    `git remote add deploy ${address}/git/demo.git`,
    `git config credential.${address}.helper '!f() { sed s/^/password=/ ${tokenFile(config.layout)}; }; f'`,
  ];
}

function urlOf({ server }: Config, host: string): string {
  return placeUrl({ scheme: "http", host, path: "/", port: 0 }, visitedAt(server));
}

/** How this server's commands are typed, from any folder. */
function commandLine({ layout }: Config): string {
  const home = layout.home === join(programRoot, "var") ? "" : `REEVE_HOME=${layout.home} `;
  return `${home}node ${join(programRoot, "dist", "main.js")}`;
}
