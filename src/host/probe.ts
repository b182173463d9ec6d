import { request } from "node:http";

export interface Question {
  socketPath: string;
  path: string;
  headers: Record<string, string>;
  /** Milliseconds for the whole answer. */
  within: number;
  signal?: AbortSignal;
}

/** What came back: a status; or nothing, because nobody listens, the time was up, or the connection was closed. */
export type Answer =
  { status: number } | { failure: "nobody listens" | "no answer in time" | "cut off" };

/** Asks one HTTP question over a unix socket. The body is read to its end and thrown away. */
export function ask(question: Question): Promise<Answer> {
  return new Promise((resolve) => {
    const { socketPath, path, headers } = question;
    const timeout = AbortSignal.timeout(Math.max(1, Math.ceil(question.within)));
    const signal = question.signal ? AbortSignal.any([timeout, question.signal]) : timeout;
    const client = request({ socketPath, path, headers, agent: false, signal }, (response) => {
      response.resume();
      response.on("end", () => resolve({ status: response.statusCode ?? 0 }));
      response.on("error", () => resolve({ failure: "cut off" }));
    });
    client.on("error", (error: NodeJS.ErrnoException) => {
      const isRefused = error.code === "ECONNREFUSED" || error.code === "ENOENT";
      resolve({
        failure: timeout.aborted ? "no answer in time" : isRefused ? "nobody listens" : "cut off",
      });
    });
    client.end();
  });
}
