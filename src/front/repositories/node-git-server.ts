import type { ChildProcess } from "node:child_process";
import { EventEmitter } from "node:events";
import { closeSync, openSync } from "node:fs";
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
  // The library passes an error of the output on to this as well, where nobody would listen to it.
  git.on("info", (request: EventEmitter & { accept: () => void }) => {
    request.on("error", () => undefined);
    request.accept();
  });
  expectDescriptors();
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
  pid: number;
  output: Readable;
}

/**
 * Runs one service over a request's body. Resolves as soon as git's process exists; rejects where the system
 * starts no more processes or opens no more files.
 */
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
      const { pid } = child;
      if (pid === undefined) {
        // It has no number because it was not started: its error comes right after, and says why.
        child.prependOnceListener("error", reject);
        return;
      }
      // A git that ends before it has read everything closes the pipe under us: its exit code tells why.
      child.stdin?.on("error", () => undefined);
      child.stderr?.resume();
      resolve({ process: child, pid, output });
    });
    expectDescriptors();
    action.accept();
  });
}

/** The pipes of a child process, and what libuv opens for the moment of its start. */
const descriptorsOfChild = 10;

/**
 * Throws EMFILE or ENFILE where a process could not be started for want of file descriptors: Node gives such a
 * child no streams, which the library then uses in a turn of its own, where nobody catches anything.
 */
function expectDescriptors(): void {
  const opened: number[] = [];
  try {
    while (opened.length < descriptorsOfChild) opened.push(openSync("/dev/null", "r"));
  } finally {
    for (const descriptor of opened) closeSync(descriptor);
  }
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
