import type { ChildProcess } from "node:child_process";
import { EventEmitter } from "node:events";
import type { IncomingMessage, ServerResponse } from "node:http";
import { PassThrough, type Readable } from "node:stream";
import { createAction, infoResponse, type Git } from "node-git-server";

/**
 * node-git-server, behind types of our own: nothing else of reeve's sees it.
 *
 * Only its exported `createAction` and `infoResponse` are used, and they never get a request or a response
 * of the network: its own server lets strangers push, and a client that breaks off would end the process
 * (docs/architecture.md). They read from a clean stream and write into one.
 */
export type GitService = "upload-pack" | "receive-pack";

/** The refs that a repository offers, as the service's advertisement. */
export function advertise(repository: string, service: GitService): Readable {
  const output = new DetachedResponse();
  const git = Object.assign(new EventEmitter(), {
    autoCreate: false,
    exists: () => true,
    dirMap: () => repository,
  });
  git.on("error", (error: Error) => output.destroy(error));
  infoResponse(
    git as unknown as Git,
    repository,
    service,
    detachedRequest(new PassThrough()),
    output as unknown as ServerResponse,
  );
  return output;
}

export interface RunningService {
  /** git's own process: the parent of every hook it runs. */
  process: ChildProcess;
  output: Readable;
}

/** Runs one service over a request's body. Resolves as soon as git's process exists. */
export function serve(
  repository: string,
  service: GitService,
  body: Readable,
): Promise<RunningService> {
  const output = new DetachedResponse();
  const options = { repo: repository, cwd: repository, service };
  const action = createAction(options, detachedRequest(body), output as unknown as ServerResponse);
  return new Promise((resolve, reject) => {
    action.on("error", (error: Error) => {
      output.destroy(error);
      reject(error);
    });
    action.on("service", (child: ChildProcess) => {
      // A git that ends before it has read everything closes the pipe under us: its exit code tells why.
      child.stdin?.on("error", () => undefined);
      child.stderr?.resume();
      resolve({ process: child, output });
    });
    action.accept();
  });
}

/** Where the library writes: it may set headers and a status as on a response, but we say what is sent. */
class DetachedResponse extends PassThrough {
  statusCode = 200;
  setHeader(): this {
    return this;
  }
}

/** No headers, so that it decodes nothing and looks for no credentials. */
function detachedRequest(body: Readable): IncomingMessage {
  return Object.assign(body, { headers: {} }) as unknown as IncomingMessage;
}
