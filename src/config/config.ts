import { existsSync, readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { hasCode, UserError } from "../errors.ts";
import { embeddedLayout, expectUsableHome, type Layout } from "./layout.ts";
import { addressesOf, withPort } from "./listening.ts";
import { readOptions } from "./option-table.ts";
import { contradiction } from "./visited.ts";
import { serverOptions, type ServerOptions } from "./server-options.ts";

/** The server's configuration: read once at the start, frozen, passed down. */
export interface Config {
  readonly layout: Layout;
  readonly server: ServerOptions;
}

/** The folder that holds dist/, hooks/ and templates/ (and src/, in a checkout). */
export const programRoot = fileURLToPath(new URL("../../", import.meta.url));

/** What `--home` and `--port` on the command line said. */
export interface Overrides {
  home?: string;
  port?: string;
}

/** The only reader of the process's environment. */
export function readConfig(flags: Overrides = {}, variables = process.env): Config {
  const home = resolve(flags.home ?? variables["REEVE_HOME"] ?? join(programRoot, "var"));
  const layout = embeddedLayout(home);
  expectUsableHome(layout);
  // The front has no right to the file, which may hold credentials: it gets what it needs by variables.
  const text = variables["REEVE_NO_SERVER_FILE"] ? "" : readText(layout.serverFile);
  const server = readOptions(serverOptions, {
    path: layout.serverFile,
    text,
    code: "CONFIG_INVALID",
    overrides: { ...ownVariables(variables), ...portFlag(flags) },
    defaults: { ...machinesAuthorities(), ...installerDefaults(variables) },
  });
  const problem = contradiction(server);
  if (problem !== undefined)
    throw new UserError("CONFIG_INVALID", `${layout.serverFile}: ${problem}`);
  return Object.freeze({ layout, server });
}

/** On behalf of which key a command runs, where it came over SSH; else it is the administrator's. */
export function readKey(variables = process.env): string | undefined {
  return variables["REEVE_KEY"];
}

/** Where systemd waits to hear that this process is ready, where it does (sd_notify(3)). */
export function readNotifySocket(variables = process.env): string | undefined {
  return variables["NOTIFY_SOCKET"];
}

/** Where nginx listens: for all, or for one instance that has a port of its own. */
export function listenAddresses({ server }: Config, port = server.port): string[] {
  return addressesOf(server.listen).map((address) => withPort(address, port));
}

/** `REEVE_DOMAIN` for `domain`, and so on for every option of the server. */
export function variableName(option: string): string {
  return `REEVE_${option.toUpperCase()}`;
}

/** The variables that hand this configuration to a process that reeve starts for itself. */
export function configVariables(config: Config): Record<string, string> {
  const options = Object.entries(config.server).map(([name, value]) => [
    variableName(name),
    String(value),
  ]);
  return { REEVE_HOME: config.layout.home, ...(Object.fromEntries(options) as object) };
}

/** The same for the front: nothing that may hold a credential. */
export function frontVariables(config: Config): Record<string, string> {
  const all = configVariables(config);
  const kept = Object.entries(all).filter(([name]) => !name.startsWith("REEVE_PACKAGE_"));
  return { ...(Object.fromEntries(kept) as Record<string, string>), REEVE_NO_SERVER_FILE: "1" };
}

const authorities = "/etc/ssl/certs/ca-certificates.crt";

type Words = NonNullable<Parameters<typeof readOptions>[1]["overrides"]>;

function ownVariables(variables: NodeJS.ProcessEnv): Words {
  return fromVariables(
    variables,
    Object.keys(serverOptions).map((option) => [option, variableName(option)]),
  );
}

/** Who has set up pip, a proxy or a certificate for this machine by its usual variables need not do it twice. */
function installerDefaults(variables: NodeJS.ProcessEnv): Words {
  return fromVariables(variables, [
    ["package_index", "PIP_INDEX_URL"],
    ["package_extra_index", "PIP_EXTRA_INDEX_URL"],
    ["package_proxy", "https_proxy"],
    ["package_proxy", "HTTPS_PROXY"],
    ["package_ca_file", "SSL_CERT_FILE"],
    ["package_ca_file", "PIP_CERT"],
  ]);
}

/** What the machine's administrator trusts (update-ca-certificates): uv and pip would each bring a list of its own. */
function machinesAuthorities(): Words {
  if (!existsSync(authorities)) return {};
  return { package_ca_file: { text: authorities, from: "Debian's package ca-certificates" } };
}

function fromVariables(variables: NodeJS.ProcessEnv, names: string[][]): Words {
  const words: Words = {};
  for (const [option = "", variable = ""] of names) {
    const text = variables[variable];
    if (text !== undefined && text !== "")
      words[option] = { text, from: `the variable ${variable}` };
  }
  return words;
}

function portFlag(flags: Overrides): Words {
  return flags.port === undefined ? {} : { port: { text: flags.port, from: "--port" } };
}

function readText(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch (error) {
    if (hasCode(error, "ENOENT")) return "";
    throw error;
  }
}
