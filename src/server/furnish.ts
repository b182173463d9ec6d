import { readFileSync } from "node:fs";
import { chmod, chown, mkdir, readdir } from "node:fs/promises";
import { dirname, join } from "node:path";
import Handlebars from "handlebars";
import { listenAddresses, programRoot, type Config } from "../config/config.ts";
import { wordsOf } from "../config/listening.ts";
import { hostAt, visitedAt } from "../config/visited.ts";
import { starterFile } from "../config/option-table.ts";
import { serverOptions } from "../config/server-options.ts";
import type { Identities } from "../agent/users/identities.ts";
import { longestQueue } from "../agent/vassal/emperor.ts";
import { isPresent, writeAtomically } from "../system/files.ts";
import { mostOpenFiles } from "../system/processes.ts";
import type { System, Identity } from "../system/system.ts";
import { webCapacity } from "../agent/vhost/nginx.ts";
import { removeTrees, walk, type Errand } from "../system/walker.ts";
import { untidyObjects } from "../front/push/objects.ts";

/** Makes every folder with its owner: who may enter which is what keeps the halves apart. */
export async function makeFolders(
  { layout }: Config,
  system: System,
  { front, web }: Identities,
): Promise<void> {
  const root = { uid: 0 };
  const folders: [path: string, mode: number, owner: { uid: number }, group: { gid: number }][] = [
    ...[
      layout.home,
      layout.etc,
      layout.apps,
      layout.vassals,
      layout.nginx,
      layout.sitesAvailable,
      layout.sitesEnabled,
      layout.sharedHosts,
      layout.srv,
      layout.state,
      layout.links,
      layout.pauses,
      layout.run,
      layout.log,
      layout.appLogs,
    ].map((path): [string, number, { uid: number }, { gid: number }] => [
      path,
      0o755,
      root,
      { gid: 0 },
    ]),
    [layout.repositories, 0o700, front, front],
    // The front looks for what is there by name; each repository in it is closed to others.
    [layout.submodules, 0o711, root, { gid: 0 }],
    [layout.frontState, 0o700, front, front],
    [layout.agentState, 0o700, root, { gid: 0 }],
    [layout.deployLogs, 0o750, root, { gid: 0 }],
    // The sockets in here are bound before the vassals drop their rights; an app cannot replace its own.
    [layout.sockets, 0o750, root, web],
    // Set-group-ID: the sockets made in here belong to the group that may connect.
    [join(layout.run, "front"), 0o2750, front, web],
    [join(layout.run, "control"), 0o700, front, front],
    [join(layout.run, "agent"), 0o2750, root, front],
    [join(layout.state, "nginx"), 0o755, root, { gid: 0 }],
  ];
  for (const [path, mode, owner, group] of folders) {
    await mkdir(path, { recursive: true });
    if (system.isRoot) await chown(path, owner.uid, group.gid);
    await chmod(path, mode);
  }
}

/** nginx wrote its logs for everybody once; an address in them may hold a secret. */
export async function closeLogs({ layout }: Config): Promise<void> {
  const names = (await readdir(layout.log)).filter((name) => name.endsWith(".log"));
  for (const name of names) await chmod(join(layout.log, name), 0o640);
}

/**
 * Writes the configuration of what reeve starts. It is reeve's own and made anew at every start. `web`: with root;
 * `group`: the control group of the Emperor and the apps, below the one that the Emperor is started in.
 */
export async function writeConfigurations(
  config: Config,
  program: string,
  { web, group }: { web: Identity | undefined; group: string },
): Promise<void> {
  const { layout, server } = config;
  const listen = listenAddresses(config);
  if (!(await isPresent(layout.serverFile))) {
    await writeAtomically(
      layout.serverFile,
      starterFile(serverOptions, "reeve's configuration. Read at the start."),
      { mode: 0o600 },
    );
  }
  await render(
    "emperor-hook",
    layout.emperorHook,
    { pauses: layout.pauses, firstPause: server.restart_pause / 1000 },
    0o755,
  );
  await render("emperor.ini", layout.emperorIni, {
    hook: layout.emperorHook,
    group,
    vassals: layout.vassals,
    run: layout.run,
    sockets: layout.sockets,
    web: web?.gid,
    pidFile: layout.emperorPid,
    statsSocket: layout.emperorStats,
    logFile: join(layout.log, "emperor.log"),
    listen: longestQueue(),
  });
  await render("nginx.conf", layout.nginxConfiguration, {
    ...(await webValues(config, web !== undefined)),
    pidFile: layout.nginxPid,
    logs: layout.log,
    mimeTypes: "/etc/nginx/mime.types",
    temporary: join(layout.state, "nginx"),
    sites: layout.sitesEnabled,
  });
  await render("git.conf", layout.gitConfiguration, {
    hooks: join(program, "hooks"),
    pushLimit: `${server.push_limit}m`,
    untidy: untidyObjects,
  });
  // Debian's headers, with reeve's own spelling of the port: what an app's server block includes on port 80.
  await writeAtomically(
    join(layout.nginx, "proxy_params"),
    readFileSync("/etc/nginx/proxy_params", "utf8"),
  );
  await render("default.conf", join(layout.sitesEnabled, "00-default.conf"), { listen });
  await render("git-vhost.conf", join(layout.sitesEnabled, "00-git.conf"), {
    listen,
    places: [
      { host: `git.${server.domain}`, path: "/", isShared: false },
      { host: server.domain, path: "/git/", isShared: true },
    ],
    socket: layout.httpSocket,
    accessLog: join(layout.log, "nginx-access.log"),
  });
}

async function webValues({ server }: Config, isRoot: boolean): Promise<object> {
  const capacity = webCapacity(server.connections, await mostOpenFiles());
  return {
    ...capacity,
    user: isRoot ? server.web_user : "",
    proxies: [...new Set(wordsOf(server.trusted_proxies))],
    ownPort: hostAt("", { scheme: "http", port: server.port }),
    visitedPort: hostAt("", visitedAt(server)),
  };
}

/** A copy of the program that everybody can read, for a checkout under a closed folder. */
export async function copyProgram(config: Config, system: System): Promise<string> {
  const { program } = config.layout;
  await removeTrees(system, program);
  const names = ["dist", "hooks", "templates", "package.json"];
  const lock = JSON.parse(readFileSync(join(programRoot, "package-lock.json"), "utf8")) as {
    packages: Record<string, { dev?: boolean }>;
  };
  for (const [path, { dev }] of Object.entries(lock.packages)) {
    if (path === "" || dev || !(await isPresent(join(programRoot, path)))) continue;
    names.push(path);
  }
  // One that has others in it brings them along.
  const outer = names.filter((name) => !names.some((other) => name.startsWith(`${other}/`)));
  for (const name of outer) await mkdir(dirname(join(program, name)), { recursive: true });
  const copies = outer.map((name): Errand => ({
    do: "copy",
    path: join(programRoot, name),
    to: join(program, name),
  }));
  await system.run(walk([...copies, { do: "give", path: program, share: 0o555 }]));
  return program;
}

export async function render(
  template: string,
  path: string,
  values: object,
  mode = 0o644,
): Promise<void> {
  const text = readFileSync(join(programRoot, "templates", `${template}.hbs`), "utf8");
  const rendered = Handlebars.compile(text, { noEscape: true, strict: true })(values);
  await writeAtomically(path, rendered, { mode });
}
