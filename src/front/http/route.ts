import { appNameError, isAppName } from "../../names/names.ts";
import type { UserError } from "../../errors.ts";
import type { GitService } from "../repositories/node-git-server.ts";

export type Route =
  | { kind: "advertise"; app: string; service: GitService }
  | { kind: "serve"; app: string; service: GitService };

/** A request that is none of git's: with what status, and in what words, it is turned away. */
export interface NoRoute {
  status: 404 | 405 | 415;
  message: string | UserError;
  /** It is one of Git LFS. */
  isLfs?: true;
}

/** At the host of git's own, or below the server's own domain (templates/git-vhost.conf.hbs): both as the client wrote it. */
const advertisement =
  /^(?:\/git)?\/([^/?]+?)(?:\.git)?\/info\/refs\?service=git-(upload-pack|receive-pack)$/;
const service = /^(?:\/git)?\/([^/?]+?)(?:\.git)?\/git-(upload-pack|receive-pack)$/;

/**
 * What Git LFS asks before git pushes, from a hook of its own, also where only the history has files of it
 * (https://github.com/git-lfs/git-lfs/blob/main/docs/api/server-discovery.md).
 */
const lfs = /^(?:\/git)?\/[^/?]+\/info\/lfs\//;

/** Nobody is told that a server has files which it has not: git lfs prune goes by that. */
export const withoutLfs = {
  message: "this server keeps no files of Git LFS: what is deployed is in the repository itself",
  hint: "`git push --no-verify deploy main` goes past the hook of Git LFS.",
};

interface Asked {
  method: string;
  url: string;
  contentType: string | undefined;
}

/** The four requests of git's smart HTTP protocol, and no other: method, path and type all have to fit. */
export function findRoute({ method, url, contentType }: Asked): Route | NoRoute {
  const asked = advertisement.exec(url) ?? service.exec(url);
  const [, app = "", name = ""] = asked ?? [];
  if (lfs.test(url)) {
    const { message, hint } = withoutLfs;
    return { status: 404, message: `${message}. ${hint}`, isLfs: true };
  }
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
