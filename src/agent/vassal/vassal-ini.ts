import { readFileSync } from "node:fs";
import { join } from "node:path";
import Handlebars from "handlebars";
import type { Process } from "../../names/process.ts";
import { sign } from "../../system/signature.ts";
import { programRoot } from "../../config/config.ts";

export interface VassalValues {
  name: string;
  url: string;
  /** `X-Reeve-Release`, in a preview's answers only. */
  release: string | undefined;
  sockets: string;
  /** The socket's name in that folder, `%n` where it is the instance's own. */
  socket: string;
  srv: string;
  own: string;
  logs: string;
  /** The environment's resolved path: a worker that imports late must not find another one behind a link. */
  environment: string;
  process: Process;
  /** The folder of the tree that it runs in; empty: the whole tree. */
  root: string;
  /** The path, without its last slash, of an instance that does not have its host for itself. */
  mount: string | undefined;
  webProcesses: number;
  /** The socket's queue; uWSGI refuses to start with more than net.core.somaxconn. */
  listen: number;
  /** What all processes of the vassal may use together, where there is a control group; 0: as much as they like. */
  group: { memory: number; processes: number };
  /** Where there is none. MiB for each process; 0: as many as it likes. */
  memory: number;
  /** Of the user, so only where it is the app's own; 0: as many as it likes. */
  maxProcesses: number;
  /** Seconds. */
  grace: number;
  /** Only with root. */
  identity: { user: string; group: string; web: string } | undefined;
}

const template = compile("vassal");
/** What an ini has of its kind of server alone. */
const parts: Record<Process["kind"], Handlebars.TemplateDelegate> = { wsgi: compile("wsgi") };

function compile(name: string): Handlebars.TemplateDelegate<VassalValues> {
  const text = readFileSync(join(programRoot, "templates", `${name}.ini.hbs`), "utf8");
  // An ini knows no escapes: every value here has passed a grammar.
  return Handlebars.compile(text, { noEscape: true, strict: true });
}

export function vassalIni(values: VassalValues): string {
  return sign(template(values, { partials: { kind: parts[values.process.kind] } }));
}

export interface UnderstudyValues {
  name: string;
  socket: string;
  release: string;
  environment: string;
  log: string;
  variables: string;
  /** What its first line calls it, where it is none. */
  title?: string;
}

interface Permanent {
  name: string;
  socket: string;
  app: string;
  log: string;
  variables: string;
}

/**
 * The understudy's ini: the permanent vassal's, as it stands on disk, with other paths. What somebody
 * changed by hand is therefore proven too, before it carries a request.
 */
export function understudyIni(
  ini: string,
  permanent: Permanent,
  understudy: UnderstudyValues,
): string {
  const literal = ini.replaceAll("%n", permanent.name);
  const moved = withVirtualenv(literal, understudy.environment)
    .replaceAll(permanent.socket, understudy.socket)
    .replaceAll(permanent.log, understudy.log)
    .replaceAll(permanent.variables, understudy.variables);
  const [start = "", ...others] = moved.split(permanent.app);
  return others
    .reduce(
      (text, rest) =>
        text + (/^(?:[/\s]|$)/.test(rest) ? understudy.release : permanent.app) + rest,
      start,
    )
    .replace(
      /^; .*: (http.*)$/m,
      `; ${understudy.title ?? `The understudy of ${permanent.name}`}: $1`,
    );
}

/** The ini with another environment and not a byte else changed. */
export function withVirtualenv(ini: string, environment: string): string {
  return ini.replace(
    /^([ \t]*(?:virtualenv|venv|home|pyhome)[ \t]*=[ \t]*)(?![ \t]).*$/m,
    (_, key: string) => key + environment,
  );
}

/** The ini with another user, where it names one, and not a byte else changed. */
export function withUser(ini: string, user: string): string {
  return ini.replace(
    /^([ \t]*(?:uid|gid)[ \t]*=[ \t]*)(?![ \t]).*$/gm,
    (_, key: string) => key + user,
  );
}
