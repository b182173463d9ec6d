import { appNameError, isAppName } from "../app/names.ts";
import type { UserError } from "../errors.ts";
import type { GitService } from "./node-git-server.ts";

export type Route =
  | { kind: "advertise"; app: string; service: GitService }
  | { kind: "serve"; app: string; service: GitService };

/** A request that is none of git's: with what status, and in what words, it is turned away. */
export interface NoRoute {
  status: 404 | 405 | 415;
  message: string | UserError;
}

/** At the host of git's own, or below the server's own domain (templates/git-vhost.conf.hbs): both as the client wrote it. */
const advertisement =
  /^(?:\/git)?\/([^/?]+?)(?:\.git)?\/info\/refs\?service=git-(upload-pack|receive-pack)$/;
const service = /^(?:\/git)?\/([^/?]+?)(?:\.git)?\/git-(upload-pack|receive-pack)$/;

interface Asked {
  method: string;
  url: string;
  contentType: string | undefined;
}

/** The four questions of git's smart HTTP protocol, and no other: method, path and type all have to fit. */
export function findRoute({ method, url, contentType }: Asked): Route | NoRoute {
  const asked = advertisement.exec(url) ?? service.exec(url);
  const [, app = "", name = ""] = asked ?? [];
  if (!asked)
    return { status: 404, message: "there is nothing here but git repositories: /APP.git" };
  if (!isAppName(app)) return { status: 404, message: appNameError(app) };

  const kind = url.includes("/info/refs?") ? "advertise" : "serve";
  if (method !== (kind === "advertise" ? "GET" : "POST"))
    return { status: 405, message: `${method} is not answered here` };
  if (kind === "serve" && contentType !== `application/x-git-${name}-request`) {
    return { status: 415, message: `git-${name} takes application/x-git-${name}-request` };
  }
  return { kind, app, service: name as GitService };
}
