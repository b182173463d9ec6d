import type { IncomingMessage, ServerResponse } from "node:http";
import { PassThrough, Transform, type Readable } from "node:stream";
import { createGunzip } from "node:zlib";
import type { Logger } from "pino";
import { describeError, UserError } from "../../errors.ts";
import { readHead, type Head } from "../push/first-look.ts";
import { advertise, serve, type GitService } from "../repositories/node-git-server.ts";

const noCache = {
  expires: "Fri, 01 Jan 1980 00:00:00 GMT",
  pragma: "no-cache",
  "cache-control": "no-cache, max-age=0, must-revalidate",
};

const challenges: Record<number, Record<string, string>> = {
  401: { "www-authenticate": 'Basic realm="reeve"' },
  429: { "retry-after": "60" },
};

/** Text that git shows its user as `remote:` lines. Git LFS would guess at a reason where none stands in its own form. */
export function refuse(
  response: ServerResponse,
  status: number,
  words: string | UserError,
  isLfs = false,
): void {
  const text = typeof words === "string" ? `error: ${words}` : describeError(words).join("\n");
  if (response.headersSent) {
    response.destroy();
    return;
  }
  const challenge = challenges[status] ?? {};
  response.writeHead(status, {
    "content-type": isLfs ? "application/vnd.git-lfs+json" : "text/plain; charset=utf-8",
    ...challenge,
    ...noCache,
  });
  response.end(isLfs ? JSON.stringify({ message: text }) : `${text}\n`);
}

export function answerAdvertisement(
  repository: string,
  service: GitService,
  response: ServerResponse,
): void {
  const output = advertise(repository, service);
  response.writeHead(200, {
    "content-type": `application/x-git-${service}-advertisement`,
    ...noCache,
  });
  output.on("error", () => response.destroy());
  response.on("close", () => output.destroy());
  output.pipe(response);
}

export interface Serving {
  repository: string;
  service: GitService;
  /** Bytes, after decoding. */
  limit: number;
  log: Logger;
  /** Resolves when git may work on this one as well, to what says that it does no longer. */
  enter: (gone: AbortSignal) => Promise<() => void>;
  /** What has to have happened to git's process before it gets a byte of the request. */
  confine: (pid: number) => Promise<void>;
  push?: PushRequest;
}

interface PushRequest {
  /** What is said in git's place to a push of which nothing can move. */
  look: (head: Head) => Promise<Buffer | undefined>;
  /** Called with git's process as soon as it exists, and again when it is gone. */
  onStart: (pid: number) => void;
  /** What it gives is said to a pusher whose git had no words for it. */
  onEnd: (pid: number) => string[] | undefined;
}

/** Milliseconds that git has to end by itself when its input was cut. */
const timeout = 5000;
/** Bytes beyond the limit that a push may have, so that git itself meets it first and says so to the pusher. */
const allowance = 1024 * 1024;
/** Milliseconds without a byte after which an upload counts as given up. */
const idle = 120_000;

/** Runs a fetch or a push over one request. Resolves when git's process is gone. */
export async function answerService(
  serving: Serving,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  // Who went away while the request was judged does not say so again: git would wait for ever.
  if (request.destroyed) return;
  const body = decode(request, serving.limit + allowance, (problem) => {
    refuse(response, problem.startsWith("cannot") ? 415 : 400, problem);
  });
  if (!body) return;
  request.setTimeout(idle, () => request.destroy());
  // From here on it is git's and the hooks' time, which has other limits.
  request.once("end", () => request.setTimeout(0));

  const gone = new AbortController();
  response.once("close", () => gone.abort());
  // Before anything is read: whoever sends the beginning of a push byte by byte has a place as well.
  const leave = await serving.enter(gone.signal);
  try {
    if (!gone.signal.aborted) await lookAndRun(serving, body, request, response);
  } finally {
    leave();
  }
}

async function lookAndRun(
  serving: Serving,
  body: PassThrough,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const head = serving.push && (await readHead(body));
  const refusal = head && (await serving.push?.look(head));
  if (!refusal) {
    if (!response.closed)
      await runService(serving, { body, start: head?.bytes }, request, response);
    return;
  }
  request.unpipe();
  request.resume();
  if (!response.headersSent) response.writeHead(200, resultHeaders(serving.service)).end(refusal);
}

function resultHeaders(service: GitService): Record<string, string> {
  return { "content-type": `application/x-git-${service}-result`, ...noCache };
}

async function runService(
  serving: Serving,
  { body, start }: { body: PassThrough; start: Buffer | undefined },
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const { service, push } = serving;
  const input = new PassThrough();
  const { process: git, pid, output } = await serve(serving.repository, service, input);
  push?.onStart(pid);
  if (!response.headersSent) {
    // They leave with git's first word: until then the body may turn out to be none.
    response.setHeaders(new Map(Object.entries(resultHeaders(service))));
    output.pipe(response, { end: false });
  }
  output.on("error", () => response.destroy());
  const said = new Promise<void>((resolve) => output.once("end", resolve).once("close", resolve));
  const begin = (): void => {
    if (start) input.write(start);
    body.pipe(input);
  };
  serving.confine(pid).then(begin, begin);

  const leave = (): void => {
    // What git still says goes nowhere, and must not stop git from saying it.
    output.unpipe(response);
    output.resume();
    if (response.writableFinished) return;
    // The client is gone.
    if (service === "upload-pack") git.kill("SIGTERM");
    // An upload that was complete goes on to its end: the ref and what is on the air stay of one mind.
    else if (!request.complete) endCutUpload(body, git);
  };
  if (response.closed) leave();
  else response.once("close", leave);

  await new Promise<void>((resolve) => git.once("close", resolve));
  // It refuses refs in a report and ends with 0: anything else is an end in the midst of its work.
  const wasCut = git.exitCode !== 0;
  const words = push?.onEnd(pid);
  await said;
  // A git that refused the upload in the midst of it leaves the rest of it to nobody.
  request.unpipe();
  request.resume();
  if (!response.writableEnded && !response.destroyed)
    response.end(wasCut && push ? lastWords(words) : "");
}

/**
 * What git would have ended with: a message on side band 3, which is fatal (gitprotocol-pack(5)). A client that
 * gets a clean end and no report instead waits for ever for its own other half (tried, git 2.39).
 */
function lastWords(words: string[] = describeError(gone())): string {
  const text = `\x03${words.join("\n")}\n`;
  return `${(4 + Buffer.byteLength(text)).toString(16).padStart(4, "0")}${text}0000`;
}

function gone(): UserError {
  return new UserError(
    "PUSH_GONE",
    "git ended on the server in the midst of this push: it was killed, or could not move the ref",
  );
}

/** Its input's end lets git remove its quarantine; a signal first would leave the folder behind. */
function endCutUpload(
  body: PassThrough,
  git: {
    stdin: NodeJS.WritableStream | null;
    kill: (signal: NodeJS.Signals) => boolean;
    once: (event: "close", listener: () => void) => unknown;
  },
): void {
  body.end();
  git.stdin?.end();
  const timer = setTimeout(() => git.kill("SIGTERM"), timeout);
  git.once("close", () => clearTimeout(timer));
}

/** The request's body, decoded by us and bounded, as a stream that knows nothing of the network. */
function decode(
  request: IncomingMessage,
  limit: number,
  onProblem: (problem: string) => void,
): PassThrough | undefined {
  const encoding = request.headers["content-encoding"] ?? "identity";
  if (encoding !== "identity" && encoding !== "gzip") {
    onProblem(`cannot decode ${JSON.stringify(encoding.slice(0, 60))}`);
    request.resume();
    return undefined;
  }
  const body = new PassThrough();
  const bounded = new Bounded(limit);
  const end = (): void => {
    // What is still being unfolded would be written after the end, and that error would end us.
    bounded.unpipe(body);
    body.end();
  };
  const stop = (problem: string): void => {
    request.unpipe();
    request.resume();
    end();
    onProblem(problem);
  };
  bounded.on("error", (error) => stop(error.message));
  request.on("error", end);
  request.on("aborted", end);

  let source: Readable = request;
  if (encoding === "gzip") {
    const gunzip = createGunzip();
    gunzip.on("error", () => stop("the body is not gzip"));
    source = request.pipe(gunzip);
  }
  source.pipe(bounded).pipe(body);
  return body;
}

/** Lets so many bytes through and no more. */
class Bounded extends Transform {
  #left: number;

  constructor(limit: number) {
    super();
    this.#left = limit;
  }

  override _transform(
    chunk: Buffer,
    _encoding: BufferEncoding,
    done: (error: Error | null, chunk?: Buffer) => void,
  ): void {
    this.#left -= chunk.length;
    if (this.#left < 0)
      done(new Error("the push is larger than this server takes (option push_limit)"));
    else done(null, chunk);
  }
}
