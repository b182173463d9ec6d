import { chmod } from "node:fs/promises";
import {
  createServer,
  request as httpRequest,
  type IncomingMessage,
  type RequestListener,
  type Server,
  type ServerResponse,
} from "node:http";
import { text } from "node:stream/consumers";
import { z } from "zod";
import { asUserError, isErrorCode, UserError, type ErrorCode } from "../errors.ts";
import { removeFile } from "../system/files.ts";
import { LineSplitter } from "../system/lines.ts";

const keyHeader = "reeve-key";

/** The version of what is spoken over our own sockets; the path of every request begins with it. */
const version = "v1";
const longestRequest = 16 * 1024 * 1024;
/** Bytes of an answer that wait for whoever asked. */
const mostUnread = 16 * 1024 * 1024;

/** One thing that can be asked over a socket: its fields are checked before it runs. */
export interface Verb<Input, Result = unknown> {
  input: z.ZodType<Input>;
  run: (input: Input, exchange: Exchange) => Promise<Result>;
}

export interface Exchange {
  /** Passes a line on at once, while the request is still being worked on. */
  say: (line: string) => void;
  /** Aborted when whoever asked is gone. */
  gone: AbortSignal;
  /** The key on whose behalf somebody asks over SSH, by its fingerprint. */
  key: string | undefined;
}

// eslint-disable-next-line @typescript-eslint/no-explicit-any -- a table of verbs of all kinds
export type Verbs = Record<string, Verb<any>>;

/**
 * Answers `POST /v1/<verb>` with lines of JSON: any number of `{"line": …}`, then `{"result": …}` or
 * `{"error": …}`. HTTP, so that git's hooks can ask as well. `wrongFields`: what it is called where a verb does not take
 * its fields, which one of our halves has made, or a person has typed.
 */
export function answerVerbs(
  verbs: Verbs,
  onMistake: (error: unknown) => void,
  wrongFields: ErrorCode = "INTERNAL",
): RequestListener {
  return (request, response) => {
    answerOne(verbs, request, response, wrongFields).catch((error: unknown) => {
      const told = asUserError(error);
      if (told.code === "INTERNAL" && !told.said) onMistake(error);
      const { code, message, hint, said } = told;
      write(response, { error: { code, message, hint, said } });
      response.end();
    });
  };
}

async function answerOne(
  verbs: Verbs,
  request: IncomingMessage,
  response: ServerResponse,
  wrongFields: ErrorCode,
): Promise<void> {
  const [, asked, name = ""] = (request.url ?? "").split("/");
  const verb = Object.hasOwn(verbs, name) ? verbs[name] : undefined;
  if (asked !== version || !verb || request.method !== "POST") {
    response.writeHead(404).end();
    return;
  }
  const input = verb.input.safeParse(parseJson(await readBody(request)));
  response.writeHead(200, { "content-type": "application/x-ndjson" });
  if (!input.success) {
    const wrong = input.error.issues.map(({ path, message }) => `${path.join(".")}: ${message}`);
    throw new UserError(wrongFields, `${name}: ${wrong.join("; ")}`);
  }
  const gone = new AbortController();
  response.on("close", () => gone.abort());
  const say = (line: string): void => write(response, { line });
  const key = request.headersDistinct[keyHeader]?.[0];
  const result = await verb.run(input.data, { say, gone: gone.signal, key });
  write(response, { result: result ?? null });
  response.end();
}

function write(response: ServerResponse, message: object): void {
  if (response.destroyed) return;
  response.write(`${JSON.stringify(message)}\n`);
  // Whoever follows a log and reads nothing would have it kept here, line by line.
  if (response.writableLength > mostUnread) response.destroy();
}

/** What somebody posts, up to so many bytes. */
export async function readBody(
  request: IncomingMessage,
  longest = longestRequest,
): Promise<string> {
  let length = 0;
  request.on("data", (chunk: Buffer) => {
    length += chunk.length;
    if (length > longest) request.destroy(new Error("the request is too long"));
  });
  return text(request);
}

function parseJson(words: string): unknown {
  try {
    return JSON.parse(words);
  } catch {
    return undefined;
  }
}

/** Listens on a unix socket that nobody but the folder's owner and its group can reach. */
export async function listenOn(server: Server, path: string): Promise<void> {
  await removeFile(path);
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen(path, resolve);
  });
  await chmod(path, 0o660);
}

/** A deploy takes as long as it takes: none of Node's own time limits applies to a request. */
export function verbServer(listener: RequestListener): Server {
  const server = createServer({ requestTimeout: 0, headersTimeout: 10_000 }, listener);
  server.timeout = 0;
  return server;
}

const reply = z.union([
  z.object({ line: z.string() }),
  z.object({ result: z.unknown() }),
  z.object({
    error: z.object({ code: z.string(), message: z.string(), hint: z.string(), said: z.boolean() }),
  }),
]);

export interface CallOptions {
  onLine?: ((line: string) => void) | undefined;
  /** The request is on its way, or will never be. */
  onSent?: (() => void) | undefined;
  signal?: AbortSignal | undefined;
  /** What to say when nobody answers, and what to do then where it is not to start the server. */
  whenDown: string;
  hintWhenDown?: string;
  /** On whose behalf it is asked: the fingerprint of a key. */
  key?: string | undefined;
}

/** Asks one request. Rejects with the `UserError` that the other side gave, or with `SERVER_DOWN`. */
export function callVerb(
  socketPath: string,
  verb: string,
  input: object,
  options: CallOptions,
): Promise<unknown> {
  return new Promise((resolve, reject) => {
    let settled = false;
    const down = (cause?: unknown): void => {
      if (!settled)
        reject(
          new UserError("SERVER_DOWN", options.whenDown, {
            cause,
            ...(options.hintWhenDown ? { hint: options.hintWhenDown } : {}),
          }),
        );
    };
    const onMessage = (line: string): void => {
      const message = parseReply(line);
      if (!message) {
        down(`${verb}: the answer cannot be read`);
        return;
      }
      if ("line" in message) options.onLine?.(message.line);
      else {
        settled = true;
        if ("error" in message) reject(toUserError(message.error));
        else resolve(message.result);
      }
    };
    const client = httpRequest(
      {
        socketPath,
        path: `/${version}/${verb}`,
        method: "POST",
        agent: false,
        ...(options.key === undefined ? {} : { headers: { [keyHeader]: options.key } }),
        ...(options.signal ? { signal: options.signal } : {}),
      },
      (response) => {
        const splitter = LineSplitter.of(response, onMessage, Infinity);
        response.on("end", () => {
          splitter.end();
          down();
        });
        response.on("error", down);
      },
    );
    client.on("error", down);
    if (options.onSent) client.once("finish", options.onSent).once("close", options.onSent);
    client.end(JSON.stringify(input));
  });
}

function parseReply(line: string): z.infer<typeof reply> | undefined {
  const parsed = reply.safeParse(parseJson(line));
  return parsed.success ? parsed.data : undefined;
}

function toUserError(error: {
  code: string;
  message: string;
  hint: string;
  said: boolean;
}): UserError {
  const code = isErrorCode(error.code) ? error.code : "INTERNAL";
  const told = new UserError(code, error.message, { hint: error.hint });
  told.said = error.said;
  return told;
}
