import { join } from "node:path";
import { UserError } from "../errors.ts";

/** Where things are. Embedded: Debian's folders, all under one. */
export interface Layout {
  home: string;
  etc: string;
  serverFile: string;
  apps: string;
  vassals: string;
  emperorIni: string;
  /** What the Emperor runs before each vassal's start: it outlives reeve. */
  emperorHook: string;
  /** What the front's unit hands it of the configuration. */
  frontVariables: string;
  gitConfiguration: string;
  nginxConfiguration: string;
  nginx: string;
  sitesAvailable: string;
  sitesEnabled: string;
  /** A folder for each host that previews share, with a link to the location of each. */
  sharedHosts: string;
  srv: string;
  state: string;
  repositories: string;
  /** A folder for each app whose submodules are fetched. */
  submodules: string;
  frontState: string;
  /** The front's memory: accounts, tokens, keys, rights, the audit log. */
  frontDatabase: string;
  /** The keys that sshd lets in, as the front writes them. */
  authorizedKeys: string;
  sshHostKey: string;
  sshConfiguration: string;
  agentState: string;
  /** How often each vassal died at its start, as the Emperor's hook counts. */
  pauses: string;
  run: string;
  /** What the vassals bind. */
  sockets: string;
  /** Where nginx looks: a link for each instance, with what it leads to. They survive a reboot. */
  links: string;
  httpSocket: string;
  controlSocket: string;
  agentSocket: string;
  emperorPid: string;
  emperorStats: string;
  nginxPid: string;
  log: string;
  appLogs: string;
  deployLogs: string;
  tools: string;
  program: string;
}

export function embeddedLayout(home: string): Layout {
  const [etc, state, run, log] = ["etc", "lib", "run", "log"].map((name) => join(home, name)) as [
    string,
    string,
    string,
    string,
  ];
  const nginx = join(etc, "nginx");
  return {
    home,
    etc,
    serverFile: join(etc, "server.toml"),
    apps: join(etc, "apps"),
    vassals: join(etc, "vassals"),
    emperorIni: join(etc, "emperor.ini"),
    emperorHook: join(etc, "emperor-hook"),
    frontVariables: join(etc, "front.env"),
    gitConfiguration: join(etc, "git.conf"),
    nginxConfiguration: join(nginx, "nginx.conf"),
    nginx,
    sitesAvailable: join(nginx, "sites-available"),
    sitesEnabled: join(nginx, "sites-enabled"),
    sharedHosts: join(nginx, "shared-hosts"),
    srv: join(home, "srv"),
    state,
    repositories: join(state, "repositories"),
    submodules: join(state, "submodules"),
    frontState: join(state, "front"),
    frontDatabase: join(state, "front", "front.db"),
    authorizedKeys: join(state, "front", "authorized_keys"),
    sshHostKey: join(state, "front", "ssh_host_ed25519_key"),
    sshConfiguration: join(etc, "sshd.conf"),
    agentState: join(state, "agent"),
    pauses: join(state, "pauses"),
    run,
    sockets: join(run, "sockets"),
    links: join(state, "links"),
    httpSocket: join(run, "front", "http.sock"),
    controlSocket: join(run, "control", "control.sock"),
    agentSocket: join(run, "agent", "agent.sock"),
    emperorPid: join(run, "emperor.pid"),
    emperorStats: join(run, "emperor.stats"),
    nginxPid: join(run, "nginx.pid"),
    log,
    appLogs: join(log, "apps"),
    deployLogs: join(log, "deploys"),
    tools: join(home, "tools"),
    program: join(home, "program"),
  };
}

const longestSocketPath = 107;
const longestSocketName = `${"x".repeat(30)}.next-9999999.sock`;

/** A home that others' configuration can name, and short enough. unix(7): `sun_path` holds 108 bytes with the closing zero. */
export function expectUsableHome(layout: Layout): void {
  if (!/^\/[A-Za-z0-9._/-]*$/.test(layout.home)) {
    throw new UserError(
      "CONFIG_INVALID",
      `${JSON.stringify(layout.home)} cannot be reeve's folder`,
      {
        hint: "It goes into nginx's and uWSGI's configuration: use letters, digits, dots, hyphens and underscores.",
      },
    );
  }
  const longest = Buffer.byteLength(join(layout.sockets, longestSocketName));
  if (longest <= longestSocketPath) return;
  throw new UserError(
    "PATH_TOO_LONG",
    `${layout.home} is longer by ${longest - longestSocketPath} than fits for the apps' sockets`,
  );
}
